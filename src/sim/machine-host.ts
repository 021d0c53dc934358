import type { Identity } from "../core/identity/certificate.ts"
import type { NodeId } from "../core/identity/node-id.ts"
import type { Address } from "../core/kit/address.ts"
import type { Machine } from "../core/kit/machine.ts"
import type { Duration, Instant } from "../core/kit/time.ts"
import type { NodeInput } from "../core/node/interface.ts"
import type { StorageChange } from "../core/storage/change.ts"
import type { Agenda } from "./agenda.ts"
import { Disk } from "./disk.ts"
import { Drive } from "./drive.ts"
import type { EventLog } from "./event-log.ts"
import type { Network, Station } from "./network.ts"
import { RELOAD_PORT, SimPorts } from "./sim-ports.ts"
import type { Stream } from "./stream.ts"

/** The world, as whoever lives in it sees it. */
export interface Surroundings {
  readonly agenda: Agenda
  readonly network: Network
  readonly log: EventLog
  readonly diskDelay: Duration
  now(): Instant
  /** Who takes links and streams at that address. */
  hostAt(host: string): { readonly alive: boolean; readonly ports: SimPorts } | undefined
}

export interface MachineHostSettings<Machine> {
  readonly host: string
  readonly identity: Identity
  /** Makes the machine of one life. */
  readonly create: () => Machine
}

/** Any machine of the fabric: a whole node, or a peer alone. */
type Living<Input, Effect> = Machine<Input, Effect> & {
  restore(changes: readonly StorageChange[]): void
}

type Persist = { readonly ticket: number; readonly changes: readonly StorageChange[] }
type Persisted =
  | { readonly kind: "persisted"; readonly ticket: number }
  | { readonly kind: "persist-failed"; readonly ticket: number; readonly reason: string }

/** Drives one machine of the fabric in the invented world, with ports, a disk and lives, as the real host does. */
export abstract class MachineHost<
  Input extends { readonly kind: string },
  Effect,
  Driven extends Living<Input | Persisted, Effect>,
> implements Station
{
  readonly host: string
  readonly identity: Identity
  readonly disk = new Disk()
  readonly ports: SimPorts
  protected readonly world: Surroundings
  readonly #create: () => Driven
  readonly #drive: Drive<Input | Persisted, Effect>
  /** Counts lives: what was planned for an earlier one is void. */
  #life = 0
  #machine: Driven | undefined
  #hasPower = false

  constructor(world: Surroundings, { host, identity, create }: MachineHostSettings<Driven>) {
    this.world = world
    this.host = host
    this.identity = identity
    this.#create = create
    const owner = {
      host,
      nodeId: identity.nodeId as string,
      certificate: identity.certificate.der,
      portsAt: (other: string) => {
        const found = world.hostAt(other)
        return found?.alive ? found.ports : undefined
      },
      tell: (input: NodeInput) => this.heard(input),
    }
    this.ports = new SimPorts(owner, world.network)
    this.#drive = new Drive(world, {
      takes: (input) => {
        if (world.log.isKept) this.note(describe(input))
        else this.note(input.kind)
      },
      perform: (effect) => this.perform(effect),
    })
  }

  get nodeId(): NodeId {
    return this.identity.nodeId
  }

  /** Where others open links to it. */
  get address(): Address {
    return { host: this.host, port: RELOAD_PORT }
  }

  get alive(): boolean {
    return this.#machine !== undefined
  }

  /** Its machine says "nobody here" to those who knock while nobody listens. */
  get powered(): boolean {
    return this.#hasPower && !this.#drive.isFrozen
  }

  protected get machine(): Driven {
    if (this.#machine === undefined) throw new Error(`${this.host} is down`)
    return this.#machine
  }

  /**
   * The process dies; the disk stays. `reset`: its machine resets what was open. `silent`: the machine is gone too, so
   * that others hear nothing at all. `torn`: the share of what the disk was just writing that is on it nevertheless.
   */
  crash(how: "reset" | "silent" = "reset", torn = 0): void {
    this.#machine = undefined
    this.#drive.end()
    this.#hasPower = how === "reset"
    this.died()
    this.note(`crash ${how}`)
    this.disk.tear(torn)
    this.ports.closeAll(how)
  }

  /** It neither answers nor resets, until it thaws and finds all that came in the meantime. */
  freeze(): void {
    this.note("freeze")
    this.#drive.freeze()
  }

  thaw(): void {
    this.note("thaw")
    this.#drive.thaw()
  }

  /** From now on it takes so long over every input; 0 ends it. */
  slow(span: Duration): void {
    this.note(`slow ${span}`)
    this.#drive.slow(span)
  }

  /** From now on its clock is ahead by so much, or behind. */
  skew(span: Duration): void {
    this.note(`skew ${span}`)
    this.#drive.setSkew(span)
  }

  abstract receive(...datagram: Parameters<Station["receive"]>): void

  /** Nobody opens a stream to the station itself: its ports have them all. */
  lost(stream: Stream, reason: string): void {
    this.ports.lost(stream, reason)
  }

  tell(input: Input): void {
    this.#drive.tell(input)
  }

  /** Begins a life, with what is on disk. */
  protected live(): void {
    if (this.alive) throw new Error(`${this.host} is up already`)
    this.#life++
    this.#hasPower = true
    this.#machine = this.#create()
    this.#machine.restore(this.disk.contents())
    this.#drive.begin(this.#machine)
  }

  /** Something has come in at one of its ports. */
  protected abstract heard(input: NodeInput): void

  protected abstract perform(effect: Effect): void

  /** Answers of that life do not come any more. */
  protected abstract died(): void

  protected persist({ ticket, changes }: Persist): void {
    this.disk.write(this.world, changes, (reason) =>
      this.#drive.tell(
        reason === undefined ? { kind: "persisted", ticket } : { kind: "persist-failed", ticket, reason },
      ),
    )
  }

  /** Tells later whether it still lives the life that it lives now. */
  protected thisLife(): () => boolean {
    const life = this.#life
    return () => this.#life === life && this.alive
  }

  protected note(what: string): void {
    this.world.log.note(this.world.now(), this.host, what)
  }
}

/** What came in, as far as it tells one run from another: a message of the fabric ends in its signature. */
function describe(input: { readonly kind: string; readonly bytes?: Uint8Array }): string {
  const { kind, bytes } = input
  if (bytes === undefined) return kind
  return `${kind} ${bytes.length} ${sumOf(kind === "link-received" ? bytes.subarray(-16) : bytes)}`
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0
  return sum
}
