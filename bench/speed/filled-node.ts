import type { AlgorithmNumbers, Certificate, Identity } from "../../src/core/identity/certificate.ts"
import { FakeCryptography, fakeAuthority } from "../../src/core/identity/fake-cryptography.ts"
import { parseNodeId } from "../../src/core/identity/node-id.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { after, type Duration, type Instant, milliseconds, minutes } from "../../src/core/kit/time.ts"
import type { CarillonNode, NodeAnswer, NodeEffect, NodeInput } from "../../src/core/node/interface.ts"
import { createNode } from "../../src/core/node/node.ts"
import { NONCE_LENGTH } from "../../src/core/service/authentication/nonce.ts"
import type { Flow } from "../../src/core/sip/transport.ts"
import { configurationOf } from "../../src/sim/configuration.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { DOMAIN } from "./domain.ts"
import { nonceOf } from "./scripts/script.ts"
import { credentials, type Phone, phoneOf, plainContact, register } from "./wire.ts"

const BEGINNING = 1_893_456_000_000 as Instant
/** So much time passes for each message: transactions linger for half a minute, and there may be a million. */
const PACE = milliseconds(0.5)
const REST = minutes(6)
/** Users put at a time. */
const BATCH = 1_000
/** Of ECDSA with P-256, in DER, as most are. */
const SIGNATURE_BYTES = 71
const LOCAL = { host: "192.0.2.9", port: 5060 }
const PHONES_PORT = 5060

/** Signatures as long as real ones. */
class LongSignatures extends FakeCryptography {
  #short = 0

  override verify(
    by: Certificate,
    algorithm: AlgorithmNumbers,
    signed: Uint8Array,
    value: Uint8Array,
  ): boolean {
    return super.verify(by, algorithm, signed, value.subarray(0, this.#short))
  }

  signing(identity: Identity): Identity {
    const sign = (bytes: Uint8Array) => {
      const short = identity.sign(bytes)
      this.#short = short.length
      const long = new Uint8Array(SIGNATURE_BYTES)
      long.set(short)
      return long
    }
    return { ...identity, sign }
  }
}

/** One node, alone in its ring, with a network, a disk and a clock that keep nobody waiting. */
export class FilledNode {
  readonly #node: CarillonNode
  readonly #queue: NodeInput[] = []
  #now = BEGINNING
  /** What it said last: to a phone, and to the operator. */
  #sent = ""
  #answer: NodeAnswer | undefined
  /** What a phone remembers, in memory that is there from the beginning. */
  readonly #cseqs: Uint32Array
  readonly #counts: Uint32Array
  readonly #nonces: Uint8Array
  #refreshed = 0

  /** `phones`: that there may be, at most. */
  constructor(phones: number) {
    this.#cseqs = new Uint32Array(phones).fill(1)
    this.#counts = new Uint32Array(phones)
    this.#nonces = new Uint8Array(phones * NONCE_LENGTH)
    const cryptography = new LongSignatures(openSslHashes)
    const authority = fakeAuthority(cryptography, { overlay: DOMAIN, seed: 1 })
    const nodeId = parseNodeId("00112233445566778899aabbccddeeff")
    this.#node = createNode({
      identity: cryptography.signing(
        authority.issue({ nodeId, roles: ["registrar", "proxy", "provisioner", "enrolment"] }),
      ),
      cryptography,
      random: new SeededRandom(1),
      configuration: configurationOf(authority),
      advertised: { host: LOCAL.host, port: 6084 },
      listeners: [{ transport: "UDP", advertised: LOCAL }],
      aliases: [LOCAL.host],
      trusted: [],
      fabricKeys: [{ epoch: 1, key: openSslHashes.sha256(new Uint8Array([1])) }],
      digestAlgorithms: ["MD5"],
      version: "bench",
    })
    this.#tell({ kind: "start", bootstrap: [] })
    this.#pass(minutes(1))
  }

  get registrations(): number {
    return this.#node.status(this.#now).sip.registrations
  }

  addUsers(count: number): void {
    for (let first = 0; first < count; first += BATCH) {
      const users = Array.from({ length: Math.min(BATCH, count - first) }, (_, at) => {
        const { user, password } = phoneOf(first + at, DOMAIN)
        return { name: user, password }
      })
      this.#answer = undefined
      this.#tell({ kind: "command", ticket: first, command: { kind: "put-users", mode: "import", users } })
      for (let left = 60_000; this.#answer === undefined && left > 0; left--) this.#pass(milliseconds(10))
      const { kind } = this.#given()
      if (kind !== "users-put") throw new Error(`users are not put, but ${kind}`)
    }
  }

  /** Each is challenged first. */
  registerAll(count: number): void {
    for (let number = 0; number < count; number++) {
      this.#register(number, "401", false)
      this.#register(number, "200")
    }
  }

  /** One after the other, with a nonce that was given before; who learns that it has become stale takes the new one. */
  refresh(count: number): void {
    for (let done = 0; done < count; done++) {
      const number = this.#refreshed++ % this.#cseqs.length
      if (this.#register(number) === "401") this.#register(number, "200")
    }
  }

  /** Until transactions, nonces and what else is remembered for a moment are over. */
  rest(): void {
    this.#pass(REST)
  }

  /** The status of the answer. `expected`: what else it must not be. */
  #register(number: number, expected?: string, hasCredentials = true): string {
    const phone = this.#phone(number)
    const host = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
    const place = { domain: DOMAIN, host, port: PHONES_PORT }
    const uri = `sip:${DOMAIN}`
    const authorization = hasCredentials ? credentials("Authorization", phone, "REGISTER", uri, DOMAIN) : ""
    const branch = `z9hG4bK-${number}-${phone.cseq}-b`
    const text = register(place, phone, branch, authorization, plainContact(place, phone))
    const remote = { host, port: PHONES_PORT }
    const flow: Flow = { transport: "UDP", local: LOCAL, remote, connection: undefined, node: undefined }
    this.#sent = ""
    this.#tell({ kind: "received", flow, bytes: new Uint8Array(Buffer.from(text, "latin1")) })
    this.#pass(PACE)
    const status = this.#sent.slice(8, 11)
    const isExpected = expected === undefined ? status === "200" || status === "401" : status === expected
    if (!isExpected) throw new Error(`REGISTER of ${phone.user} is answered ${this.#sent.slice(0, 300)}`)
    this.#remember(number, phone)
    return status
  }

  #phone(number: number): Phone {
    const nonce = Buffer.from(this.#nonces.buffer, number * NONCE_LENGTH, NONCE_LENGTH).toString("latin1")
    return { ...phoneOf(number, DOMAIN), cseq: this.#cseqs[number]!, count: this.#counts[number]!, nonce }
  }

  #remember(number: number, { cseq, count }: Phone): void {
    const nonce = nonceOf(this.#sent)
    this.#cseqs[number] = cseq
    this.#counts[number] = nonce === undefined ? count : 0
    if (nonce !== undefined) this.#nonces.set(Buffer.from(nonce, "latin1"), number * NONCE_LENGTH)
  }

  /** Time passes, and the node does what is due. */
  #pass(span: Duration): void {
    const until = after(this.#now, span)
    for (let due = this.#node.deadline; due <= until; due = this.#node.deadline) {
      this.#now = Math.max(this.#now, due) as Instant
      this.#perform(this.#node.expire(this.#now))
      this.#workOff()
    }
    this.#now = until
  }

  #given(): NodeAnswer {
    if (this.#answer === undefined) throw new Error("the node does not answer a command within ten minutes")
    return this.#answer
  }

  #tell(input: NodeInput): void {
    this.#queue.push(input)
    this.#workOff()
  }

  #workOff(): void {
    for (let input = this.#queue.shift(); input !== undefined; input = this.#queue.shift())
      this.#perform(this.#node.handle(input, this.#now))
  }

  #perform(effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "persist") this.#queue.push({ kind: "persisted", ticket: effect.ticket })
      else if (effect.kind === "answer") this.#answer = effect.answer
      else if (effect.kind === "send") this.#sent = Buffer.from(effect.bytes).toString("latin1")
    }
  }
}
