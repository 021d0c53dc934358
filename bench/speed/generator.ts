// The load generator: a process of its own, on a core of its own. It plays phones that share one UDP socket, and
// judges every answer.

import { createHistogram } from "node:perf_hooks"
import type { Address } from "../../src/core/kit/address.ts"
import { openDatagrams } from "../../src/host/network/udp.ts"
import type { Count, Order, ToGenerator } from "./protocol.ts"
import { Calls } from "./scripts/calls.ts"
import { Questions } from "./scripts/questions.ts"
import { Registrations } from "./scripts/registrations.ts"
import type { Line, Script } from "./scripts/script.ts"

/** Later than phones do: on a busy machine a slow answer is not a lost one, and lost ones are what is counted. */
const REPEAT_AFTER = 2_000
const COMPLAINTS = 5

class Generator implements Line {
  readonly order: Order
  readonly histogram = createHistogram()
  readonly #server: Address
  readonly #buffer = Buffer.allocUnsafeSlow(65_536)
  #transport!: Awaited<ReturnType<typeof openDatagrams>>
  #script!: Script
  /** By slot: what was sent last and when, for who waits for an answer. */
  readonly #sent: (string | undefined)[] = []
  readonly #sentAt: number[] = []
  readonly #begunAt: number[] = []
  readonly #sequence: number[] = []
  readonly #idle: number[] = []
  #next = 0
  #owed = 0
  #lastTick = performance.now()
  #done = 0
  #answers = 0
  #retransmissions = 0
  #wrong = 0
  #late = 0
  readonly #complaints: string[] = []
  challenges = 0
  probes = 0
  probesRefused = 0

  constructor(order: Order) {
    this.order = order
    this.#server = order.server
  }

  async begin(): Promise<void> {
    const { order } = this
    const received = (bytes: Uint8Array) => this.#take(bytes)
    this.#transport = await openDatagrams({ bind: { host: "127.0.0.1", port: 0 }, received })
    const place = { domain: order.domain, host: "127.0.0.1", port: this.#transport.local.port }
    this.#script =
      order.workload === "calls"
        ? new Calls(this, place)
        : order.workload === "options"
          ? new Questions(this, place)
          : new Registrations(this, place)
    for (let slot = 0; slot < order.outstanding; slot++) {
      this.#sequence.push(0)
      this.#idle.push(slot)
    }
    if (this.#script.prepare) await this.#script.prepare()
    if (order.rate === undefined) while (this.#idle.length > 0 && this.#beginOne()) {}
    else setInterval(() => this.#tick(order.rate!), 1)
    setInterval(() => this.#repeat(), 100)
  }

  // What scripts use.

  nextUser(): number | undefined {
    if (this.order.once && this.#next >= this.order.users) return undefined
    return this.#next++ % this.order.users
  }

  branch(slot: number): string {
    this.#sequence[slot] = (this.#sequence[slot]! + 1) % 1_000_000_000
    return `z9hG4bK-${slot}-${this.#sequence[slot]}-b`
  }

  ask(slot: number, text: string): void {
    this.#sent[slot] = text
    this.#sentAt[slot] = performance.now()
    this.say(text)
  }

  say(text: string, to: Address = this.#server): void {
    const length = this.#buffer.write(text, "latin1")
    this.#transport.send(this.#buffer.subarray(0, length), to, (reason) => this.complain(reason))
  }

  complain(what: string): void {
    this.#wrong++
    if (this.#complaints.length < COMPLAINTS) this.#complaints.push(what)
  }

  measure(slot: number): void {
    this.histogram.record(Math.max(1, Math.round((performance.now() - this.#begunAt[slot]!) * 1_000)))
  }

  finished(slot: number): void {
    this.#sent[slot] = undefined
    this.#done++
    this.#idle.push(slot)
    if (this.order.rate === undefined) this.#beginOne()
  }

  get count(): Count {
    const { histogram } = this
    const told = {
      done: this.#done,
      answers: this.#answers,
      retransmissions: this.#retransmissions,
      wrong: this.#wrong,
      complaints: this.#complaints,
      challenges: this.challenges,
      probes: this.probes,
      probesRefused: this.probesRefused,
      isFinished:
        this.order.once && this.#next >= this.order.users && this.#idle.length === this.order.outstanding,
      p50: histogram.percentile(50) / 1_000,
      p99: histogram.percentile(99) / 1_000,
      late: this.#late,
    }
    histogram.reset()
    return told
  }

  #beginOne(): boolean {
    const slot = this.#idle.pop()
    if (slot === undefined) return false
    this.#begunAt[slot] = performance.now()
    if (this.#script.begin(slot)) return true
    this.#idle.push(slot)
    return false
  }

  #tick(rate: number): void {
    const now = performance.now()
    this.#owed += (rate * (now - this.#lastTick)) / 1_000
    this.#lastTick = now
    for (; this.#owed >= 1; this.#owed--) if (!this.#beginOne()) this.#late++
  }

  #repeat(): void {
    const now = performance.now()
    for (const [slot, text] of this.#sent.entries()) {
      if (text === undefined || now - this.#sentAt[slot]! < REPEAT_AFTER) continue
      this.#retransmissions++
      this.#sentAt[slot] = now
      this.say(text)
    }
  }

  #take(bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
    if (!text.startsWith("SIP/2.0 ")) return this.#script.asked?.(text)
    const at = text.indexOf("branch=z9hG4bK-") + 15
    const end = text.indexOf("-", at)
    const slot = Number(text.slice(at, end))
    const sequence = Number(text.slice(end + 1, text.indexOf("-", end + 1)))
    // An answer to what was asked twice, and answered before.
    if (this.#sent[slot] === undefined || sequence !== this.#sequence[slot]) return
    this.#answers++
    this.#script.answered(slot, Number(text.slice(8, 11)), text)
  }
}

let generator: Generator | undefined

process.on("message", (message: ToGenerator) => {
  if (message.kind === "begin") {
    generator = new Generator(message.order)
    void generator.begin().then(() => process.send!("begun"))
  } else if (message.kind === "count") process.send!(generator!.count)
  else process.exit(0)
})
