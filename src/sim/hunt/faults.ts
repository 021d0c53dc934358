import { type Duration, milliseconds, seconds } from "../../core/kit/time.ts"
import type { Disk } from "../disk.ts"
import type { Scene } from "../scene.ts"
import type { Step } from "./story.ts"

/** Whatever can go wrong with a machine, whole node or peer. */
export interface Machine {
  readonly host: string
  readonly alive: boolean
  readonly disk: Disk
  crash(how: "reset" | "silent", torn: number): void
  freeze(): void
  thaw(): void
  slow(span: Duration): void
  skew(span: Duration): void
}

/** Who is in the world, and what else than a fault can happen to its machines. */
export interface Cast<Host extends Machine> {
  readonly all: () => readonly Host[]
  join(): void
  restart(host: Host): void
  /** Whether it is part of the fabric by now. One that has not joined knows addresses only, of peers that may all be dead. */
  isPart(host: Host): boolean
  /** A disk was lost, or a machine died: what only they had is gone. */
  mourn(): void
}

type Fault = Exclude<Step["do"], "wait" | "leave" | "write" | "read" | "register" | "call">

/** Makes faults happen, and ends them all. */
export class Faults<Host extends Machine> {
  readonly #world: Scene
  readonly #cast: Cast<Host>
  /** What is under way, so that a later fault of the same sort is not ended by an earlier one. */
  readonly #endings = new Set<() => void>()

  constructor(world: Scene, cast: Cast<Host>) {
    this.#world = world
    this.#cast = cast
  }

  /** The so-manyth that lives, counted round; undefined where nobody does. */
  alive(who: number): Host | undefined {
    return pick(
      this.#cast.all().filter(({ alive }) => alive),
      who,
    )
  }

  /** Whether the step was a fault, and has happened. */
  perform(step: Step): boolean {
    if (!isFault(step)) return false
    switch (step.do) {
      case "join":
        this.#cast.join()
        return true
      case "crash":
        this.#crash(step)
        return true
      case "restart":
        this.#restart(step)
        return true
      case "weather":
        this.#world.weather.change(step.climate)
        return true
      case "part":
        this.#part(step.every, step.seconds, step.flaps)
        return true
      default:
        this.#ail(step)
        return true
    }
  }

  /** Everything that was wrong is right again; those that are down stay so. */
  end(): void {
    for (const end of [...this.#endings]) end()
    this.#world.network.heal()
    this.#world.weather.change({
      delay: "lan",
      loss: 0,
      duplication: 0,
      reordering: 0,
      bandwidth: Number.POSITIVE_INFINITY,
    })
  }

  #crash({ who, how, torn }: Extract<Step, { do: "crash" }>): void {
    const alive = this.#cast.all().filter((each) => each.alive)
    const victims = new Set(who.flatMap((number) => pick(alive, number) ?? []))
    // Somebody is left to tell the tale: a fabric of which nothing lives promises nothing.
    const isCarried = alive.some((host) => !victims.has(host) && this.#cast.isPart(host))
    const spared = isCarried
      ? undefined
      : ([...victims].findLast((host) => this.#cast.isPart(host)) ?? alive[0])
    for (const host of victims) if (host !== spared) host.crash(how, torn)
    this.#cast.mourn()
  }

  #restart({ who, disk }: Extract<Step, { do: "restart" }>): void {
    const host = pick(
      this.#cast.all().filter(({ alive }) => !alive),
      who,
    )
    if (host === undefined) return
    if (disk === "lost") host.disk.erase()
    this.#cast.restart(host)
  }

  #part(every: number, span: number, flaps: number): void {
    const cut = () => {
      const all = this.#cast.all()
      const some = all.filter((_, index) => index % every === 0)
      this.#world.part(
        some,
        all.filter((host) => !some.includes(host)),
      )
    }
    cut()
    for (let i = 1; i < flaps; i++) this.#world.plan(seconds(2 * i * span), cut)
    for (let i = 0; i < flaps; i++)
      this.#world.plan(seconds((2 * i + 1) * span), () => this.#world.network.heal())
  }

  #ail(step: Extract<Step, { do: "freeze" | "slow" | "skew" | "full-disk" | "block" | "mute" }>): void {
    const host = this.alive(step.who)
    if (host === undefined) return
    const { network } = this.#world
    switch (step.do) {
      case "freeze":
        host.freeze()
        return this.#later(step.seconds, () => host.thaw())
      case "slow":
        host.slow(milliseconds(step.milliseconds))
        return this.#later(step.seconds, () => host.slow(milliseconds(0)))
      case "skew":
        return host.skew(milliseconds(step.milliseconds))
      case "full-disk":
        host.disk.isFull = true
        return this.#later(step.seconds, () => {
          host.disk.isFull = false
        })
      case "mute":
        network.mute(host.host)
        return this.#later(step.seconds, () => network.unmute(host.host))
      case "block": {
        const others = this.#cast.all().filter((each, index) => each !== host && index % step.every === 0)
        network.block(
          [host.host],
          others.map((each) => each.host),
        )
        return this.#later(step.seconds, () => network.heal())
      }
    }
  }

  #later(span: number, end: () => void): void {
    const once = () => {
      if (this.#endings.delete(once)) end()
    }
    this.#endings.add(once)
    this.#world.plan(seconds(span), once)
  }
}

function pick<T>(from: readonly T[], number: number): T | undefined {
  return from[number % from.length]
}

const OTHERS: ReadonlySet<Step["do"]> = new Set(["wait", "leave", "write", "read", "register", "call"])

const isFault = (step: Step): step is Extract<Step, { do: Fault }> => !OTHERS.has(step.do)
