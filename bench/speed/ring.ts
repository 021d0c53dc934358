import { generateKeyPairSync, sign, verify } from "node:crypto"
import { resolve } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { measure } from "./measure.ts"
import { end, processorTime, startOn } from "./processes.ts"
import type { FromRing, RingCount, ToRing } from "./ring-protocol.ts"

const USERS = 1_000
const SIP = { host: "127.0.1.1", port: 15_060 }

/** A ring of nodes in one process, so that its processor time is the whole ring's. */
class RingProcess {
  readonly #child: ReturnType<typeof startOn>

  constructor() {
    const flags = ["--min-semi-space-size=16", "--max-semi-space-size=32"]
    const command = [process.execPath, ...flags, resolve("bench/speed/ring-nodes.ts")]
    this.#child = startOn("server", command, { ipc: true })
    this.#child.stdout!.pipe(process.stderr)
    this.#child.stderr!.pipe(process.stderr)
  }

  readonly pids = (): readonly number[] => [this.#child.pid!]

  async tell(message: ToRing): Promise<void> {
    await this.#exchange(message)
  }

  count(): Promise<RingCount> {
    return this.#exchange({ kind: "count" }) as Promise<RingCount>
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.#child.once("exit", done))
    if (this.#child.connected) this.#child.send({ kind: "end" } satisfies ToRing)
    // A node that has stopped leaves its directory behind if it is killed meanwhile.
    await Promise.race([gone, wait(10_000)])
    await end(this.#child)
  }

  #exchange(message: ToRing): Promise<FromRing> {
    return new Promise((done, failed) => {
      const gone = (code: number | null) => failed(new Error(`the ring ended with ${code}`))
      this.#child.once("exit", gone)
      this.#child.once("message", (told) => {
        this.#child.off("exit", gone)
        done(told as FromRing)
      })
      this.#child.send(message)
    })
  }
}

/** What a ring did in a while. */
export interface RingRound {
  /** For a second of the processor time of all its nodes together. */
  readonly perCoreSecond: number
  /** The same beyond what the ring spends at rest, where nodes probe each other. */
  readonly beyondRest: number
  /** For one of them, those of probes included. */
  readonly signatures: number
  readonly verifications: number
  readonly hops: number
}

async function withRing<T>(
  nodes: number,
  users: number,
  work: (ring: RingProcess) => Promise<T>,
): Promise<T> {
  const ring = new RingProcess()
  try {
    await ring.tell({ kind: "begin", nodes, users })
    return await work(ring)
  } finally {
    await ring.stop()
  }
}

/** Fetches of users' records, each node asking for any of them. */
export const measureFetches = (nodes: number, milliseconds: number): Promise<RingRound> =>
  withRing(nodes, USERS, async (ring) => {
    const rest = await restOf(ring)
    await ring.tell({ kind: "ask" })
    await wait(4_000)
    const clock = performance.now()
    const [first, processor] = [await ring.count(), processorTime(ring.pids())]
    await wait(milliseconds)
    const [last, spent] = [await ring.count(), (processorTime(ring.pids()) - processor) / 1e9]
    const seconds = (performance.now() - clock) / 1_000
    return roundOf(last.fetches - first.fetches, spent, rest * seconds, first, last)
  })

/** REGISTERs that change the Contact at one node, so that three nodes write it to disk before it is answered. */
export const measureChanges = (nodes: number, milliseconds: number): Promise<RingRound> =>
  withRing(nodes, USERS, async (ring) => {
    const ask = { workload: "register-change", digest: true, outstanding: 32, users: USERS } as const
    const rest = await restOf(ring)
    const before = await ring.count()
    const round = await measure({ address: SIP, pids: ring.pids }, ask, milliseconds)
    const after = await ring.count()
    // Signatures over all that was done, the warm-up too: they do not grow cheaper when the code is hot.
    const { done } = round.count
    const spent = done / round.perCoreSecond
    return roundOf(done, spent, (rest * done) / round.perSecond, before, after)
  })

/** Seconds of processor time for a second of the clock while nobody asks anything. */
async function restOf(ring: RingProcess): Promise<number> {
  await wait(2_000)
  const [clock, processor] = [performance.now(), processorTime(ring.pids())]
  await wait(3_000)
  return (processorTime(ring.pids()) - processor) / 1e6 / (performance.now() - clock)
}

function roundOf(done: number, spent: number, rest: number, first: RingCount, last: RingCount): RingRound {
  if (done === 0) throw new Error("the ring did nothing")
  return {
    perCoreSecond: done / spent,
    beyondRest: done / Math.max(spent - rest, spent / 100),
    signatures: (last.signatures - first.signatures) / done,
    verifications: (last.verifications - first.verifications) / done,
    hops: (last.hops - first.hops) / done,
  }
}

/** Microseconds of processor time of one ECDSA P-256 signature and of one verification, here and now. */
export function signatureCosts(): { readonly sign: number; readonly verify: number } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const bytes = Buffer.alloc(300, 1)
  const signed = sign("sha256", bytes, privateKey)
  return {
    sign: costOf(() => sign("sha256", bytes, privateKey)),
    verify: costOf(() => verify("sha256", bytes, publicKey, signed)),
  }
}

function costOf(work: () => unknown): number {
  const TIMES = 2_000
  for (let turn = 0; turn < TIMES; turn++) work()
  const before = process.cpuUsage()
  for (let turn = 0; turn < TIMES; turn++) work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / TIMES
}
