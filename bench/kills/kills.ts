import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { Farm, type FarmNode } from "../../test/interop/support/farm.ts"
import { until } from "../../test/interop/support/programs.ts"
import { SmallDisk } from "./full-disk.ts"
import { losePower, watching } from "./torn-writes.ts"

/** A kill falls somewhere into so much of the writers' work. */
const LONGEST_LIFE = 1_500
/** After a refusal, or while its node is dead, a writer waits a little. */
const BREATH = 50
/** With so many users writers take a rest after each, else nodes that start again do little but take in what there is. */
const MANY = 500
const REST = 1_000
/** On a machine that does much else a node that comes back to many records takes its time. */
const LONGEST_START = 300_000
/** A user is written in about so long, so that a loss of power soon after falls into what is not on disk yet. */
const WRITE = 30
/** A run in which no loss of power found such bytes has tried nothing: it goes on, up to so many times as long. */
const LONGEST_RUN = 10
/** Small enough to be filled in a moment, large enough for all users of a run, in bytes. */
const DISK = 48 * 1_048_576
/** With a full disk a node lives at least until a writer has run into it, but at most so long, and then a little longer. */
const UNNOTICED = 5_000
const LONGEST_WANT = 500
/** One kill in so many takes all nodes at once, as a power cut does. */
const POWER_CUT = 5
const PATIENCE = 60_000

export interface KillsSettings {
  readonly seed: number
  readonly kills: number
  /** Each kill takes the power as well: what was not on disk by an fsync is lost or garbled. Needs strace. */
  readonly torn: boolean
  /** The disk of each victim is full for a while before it is killed. Needs root. */
  readonly full: boolean
  readonly say: (line: string) => void
}

export interface KillsOutcome {
  readonly kills: number
  readonly powerCuts: number
  /** Kills that found bytes not yet on disk, and how many bytes of them were lost or garbled. */
  readonly torn: { readonly kills: number; readonly bytes: number }
  /** Users whose writing a node said was done. */
  readonly acknowledged: number
  /** Users that a node refused, or died over: they may be there or not. */
  readonly unanswered: number
  /** Users of them that were refused because a disk was full. */
  readonly wanting: number
  /** Acknowledged users that some node does not know at the end, by name. */
  readonly lost: readonly string[]
}

/** Three nodes that are killed at random moments, with SIGKILL, while users are written through each. */
export class Kills {
  readonly #settings: KillsSettings
  readonly #random: SeededRandom
  readonly #farm = new Farm("kills.test")
  readonly #acknowledged: string[] = []
  readonly #torn = { kills: 0, bytes: 0 }
  readonly #mounted: SmallDisk[] = []
  readonly #disks = new Map<FarmNode, SmallDisk>()
  #wanting = 0
  #unanswered = 0
  #isOver = false
  /** Those who wait for the next user to be sent to a node. */
  readonly #onWrite: (() => void)[] = []

  constructor(settings: KillsSettings) {
    this.#settings = settings
    this.#random = new SeededRandom(settings.seed)
  }

  async run(): Promise<KillsOutcome> {
    const { kills, say } = this.#settings
    const disks = this.#settings.full ? [1, 2, 3].map((number) => this.#mount(number)) : []
    const nodes = await this.#farm.grow(3)
    for (const [index, disk] of disks.entries()) this.#disks.set(nodes[index]!, disk)
    for (const node of nodes) node.patience = LONGEST_START
    if (this.#settings.torn) for (const node of nodes) await this.#watch(node)
    const writers = nodes.map((node, index) => this.#write(node, index))
    let powerCuts = 0
    let kill = 0
    while (kill < kills || (this.#hasTornNothing && kill < LONGEST_RUN * kills)) {
      kill++
      await this.#moment()
      const isPowerCut = kill % POWER_CUT === 0
      if (isPowerCut) powerCuts++
      const victims = isPowerCut ? nodes : [nodes[Math.floor(this.#random.next() * nodes.length)]!]
      await this.#want(victims)
      await Promise.all(victims.map((node) => node.stop("SIGKILL")))
      for (const node of victims) this.#disks.get(node)?.free()
      if (this.#settings.torn) for (const node of victims) this.#tear(node)
      await Promise.all(victims.map((node) => node.up()))
      if (kill % 10 === 0) say(`${kill} kills, ${this.#acknowledged.length} users acknowledged`)
    }
    this.#isOver = true
    await Promise.all(writers)
    const lost = new Set<string>()
    for (const node of nodes) for (const name of await this.#unknownTo(node)) lost.add(name)
    const acknowledged = this.#acknowledged.length
    return {
      kills: kill,
      powerCuts,
      torn: this.#torn,
      wanting: this.#wanting,
      acknowledged,
      unanswered: this.#unanswered,
      lost: [...lost],
    }
  }

  get #hasTornNothing(): boolean {
    return this.#settings.torn && this.#torn.kills === 0
  }

  /** Any moment; for a loss of power any moment of a write. */
  async #moment(): Promise<void> {
    await pause(this.#random.next() * LONGEST_LIFE)
    if (!this.#settings.torn) return
    await new Promise<void>((resolve) => this.#onWrite.push(resolve))
    await pause(this.#random.next() * WRITE)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#farm.nodes.map((node) => node.stop("SIGKILL")))
    for (const disk of this.#mounted) disk.remove()
    await this.#farm.end()
  }

  #mount(number: number): SmallDisk {
    const disk = new SmallDisk(join(this.#farm.directory, `node-${number}`), DISK)
    this.#mounted.push(disk)
    return disk
  }

  /** Fills the disks of those that are to be killed, and lets writers run into it. */
  async #want(victims: readonly FarmNode[]): Promise<void> {
    if (!this.#settings.full) return
    for (const node of victims) this.#disks.get(node)!.fill()
    const end = performance.now() + UNNOTICED
    const wanting = this.#wanting
    while (this.#wanting === wanting && performance.now() < end) await pause(BREATH)
    await pause(this.#random.next() * LONGEST_WANT)
  }

  /** From its next start on what it writes to its record store is noted. */
  async #watch(node: FarmNode): Promise<void> {
    const files = ["records.db", "records.db-wal"].map((file) => join(node.data, file))
    node.within = watching(logOf(node), files)
    await node.stop()
    await node.up()
  }

  #tear(node: FarmNode): void {
    const { unsynced, gone } = losePower(logOf(node), this.#random)
    if (unsynced > 0) this.#torn.kills++
    this.#torn.bytes += gone
  }

  async #write(node: FarmNode, index: number): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const name = `w${index}-${number}`
      const body = JSON.stringify({ users: [{ name, password: `secret of ${name}` }], mode: "add" })
      for (const resolve of this.#onWrite.splice(0)) resolve()
      if ((await ask(node, "/api/users", "POST", body, (text) => this.#refused(text))) !== undefined) {
        this.#acknowledged.push(name)
        if (this.#acknowledged.length > MANY) await pause(REST)
      } else {
        this.#unanswered++
        await pause(BREATH)
      }
    }
  }

  #refused(text: string): void {
    if (/the disk is full/.test(text)) this.#wanting++
  }

  /** Acknowledged users that are not in its list, or have no record behind it. */
  async #unknownTo(node: FarmNode): Promise<readonly string[]> {
    const answered = (path: string) =>
      until(`${node.host} answers ${path}`, () => ask(node, path, "GET"), PATIENCE)
    const { users } = await answered("/api/users")
    const listed = new Set(users.map((user: string) => user.split("@")[0]))
    const unknown: string[] = []
    for (const name of this.#acknowledged)
      if (!listed.has(name) || !(await answered(`/api/lookup/${name}`)).user) unknown.push(name)
    return unknown
  }
}

const logOf = ({ data }: FarmNode) => `${data}.strace`

/** What the control API answers; undefined where it refuses, with that text, or is not there. */
async function ask(
  node: FarmNode,
  path: string,
  method: string,
  body?: string,
  refused: (text: string) => void = () => undefined,
): Promise<any> {
  try {
    const response = await fetch(node.http + path, {
      method,
      headers: { authorization: `Bearer ${node.token()}`, "content-type": "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
      ...(body === undefined ? {} : { body }),
    })
    if (response.ok) return await response.json()
    refused(await response.text())
    return undefined
  } catch (cause) {
    // fetch says so for every connection that fails or breaks.
    if (cause instanceof TypeError) return undefined
    throw cause
  }
}
