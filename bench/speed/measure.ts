import { resolve } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { DOMAIN } from "./domain.ts"
import { end, memory, processorTime, startOn } from "./processes.ts"
import type { Count, Order, ToGenerator } from "./protocol.ts"
import type { Rival } from "./rivals.ts"

/** What one round of one workload on one rival showed. */
export interface Round {
  /** Operations for a second of the server's processor time. */
  readonly perCoreSecond: number
  /** Operations for a second of the clock. */
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly count: Count
}

export type Ask = Pick<Order, "workload" | "users" | "outstanding" | "digest"> &
  Partial<Pick<Order, "rate" | "once">>

/** So many of a thousand messages may have to be repeated. */
const REPEATED = 1
const WARM_UP = 1_000
const WARM_UP_LIMIT = 120_000
/** Operations. */
const HOT = 100_000
const HOT_CALLS = 50_000
/**
 * Transactions have ended by then, which linger for half a minute, and V8 has given back what it does not need: on an idle node it
 * collects for good when 100 s have passed since the last collection.
 */
const AT_REST = 150_000
/** On a machine that is too slow for that. */
const LONG = 60_000

class Load {
  readonly #child: ReturnType<typeof startOn>

  constructor() {
    const command = [process.execPath, resolve("bench/speed/generator.ts")]
    this.#child = startOn("load", command, { ipc: true })
    this.#child.stderr!.pipe(process.stderr)
  }

  async begin(rival: Pick<Rival, "address">, ask: Ask): Promise<void> {
    const order = { rate: undefined, once: false, ...ask, server: rival.address, domain: DOMAIN }
    await this.#tell({ kind: "begin", order })
  }

  count(): Promise<Count> {
    return this.#tell({ kind: "count" }) as Promise<Count>
  }

  end(): Promise<void> {
    return end(this.#child)
  }

  #tell(message: ToGenerator): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = (code: number | null) => reject(new Error(`the load generator ended with ${code}`))
      this.#child.once("exit", gone)
      this.#child.once("message", (answer) => {
        this.#child.off("exit", gone)
        resolve(answer)
      })
      this.#child.send(message)
    })
  }
}

/** Throws where an answer was wrong, a password was not asked for, or too much had to be repeated. */
function judge(count: Count, first: Count | undefined, { digest, workload, once }: Ask): void {
  const fail = (what: string) => {
    throw new Error(`${workload}: ${what}`)
  }
  if (count.wrong > 0) fail(`${count.wrong} wrong answers: ${count.complaints.join("; ")}`)
  const repeated = count.retransmissions - (first?.retransmissions ?? 0)
  const answers = count.answers - (first?.answers ?? 0)
  // Where each comes once, to be counted and not to be fast, a repetition changes nothing.
  if (once !== true && repeated * 1_000 > answers * REPEATED)
    fail(`${repeated} retransmissions for ${answers} answers`)
  if (count.probesRefused !== count.probes)
    fail(`${count.probes - count.probesRefused} wrong passwords of ${count.probes} were taken`)
  if (digest && workload === "register-digest" && count.challenges < count.done)
    fail(`only ${count.challenges} challenges for ${count.done} registrations`)
  if (digest && workload.startsWith("register") && count.done > 20_000 && count.probes === 0)
    fail("no wrong password was tried")
}

/**
 * Until every phone is registered, which only the first time is written to disk, and the code is hot, as that of a server is that has been up
 * for a minute: V8 goes on compiling for tens of thousands of calls, the first thousands of which cost three to five times as much. Latencies
 * under half load as well: who is cold is overloaded by half of what he can do.
 */
async function warmUp(load: Load, { users, rate, workload }: Ask): Promise<Count> {
  const least = 10_000 + 2 * users
  // What waits for the disk each time takes too long to be done so often.
  const isShort = workload === "register-change"
  const enough = isShort ? 2 * users : Math.max(least, workload === "calls" ? HOT_CALLS : HOT)
  const begun = performance.now()
  await wait(WARM_UP)
  for (;;) {
    const count = await load.count()
    const isLong = performance.now() - begun > LONG && count.done >= least
    if (count.done >= enough || isLong) {
      if (rate === undefined) return count
      await wait(WARM_UP)
      return load.count()
    }
    if (performance.now() - begun > WARM_UP_LIMIT) throw new Error(`only ${count.done} done while warming up`)
    await wait(100)
  }
}

/** One round: warm up, then that many milliseconds. */
export async function measure(
  rival: Pick<Rival, "address" | "pids">,
  ask: Ask,
  milliseconds: number,
): Promise<Round> {
  const load = new Load()
  try {
    await load.begin(rival, ask)
    const first = await warmUp(load, ask)
    const [processor, clock] = [processorTime(rival.pids()), performance.now()]
    await wait(milliseconds)
    const last = await load.count()
    const spent = (processorTime(rival.pids()) - processor) / 1e9
    const passed = (performance.now() - clock) / 1_000
    judge(last, first, ask)
    const done = last.done - first.done
    return {
      perCoreSecond: done / spent,
      perSecond: done / passed,
      p50: last.p50,
      p99: last.p99,
      count: last,
    }
  } finally {
    await load.end()
  }
}

/** Bytes a registration: the growth of all the server's memory while so many phones registered. */
export async function measureMemory(rival: Rival, ask: Ask): Promise<number> {
  const load = new Load()
  try {
    // Also users came in a burst.
    await wait(AT_REST)
    const before = memory(rival.pids())
    await load.begin(rival, { ...ask, once: true })
    let count = await load.count()
    for (; !count.isFinished; count = await load.count()) await wait(500)
    judge(count, undefined, { ...ask, once: true })
    await wait(AT_REST)
    return (memory(rival.pids()) - before) / ask.users
  } finally {
    await load.end()
  }
}
