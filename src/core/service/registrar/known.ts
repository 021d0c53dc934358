import { mixed } from "../../kit/row-index.ts"
import { readTime } from "../../kit/row-times.ts"
import type { Duration, Instant } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Subscribers } from "../authentication/subscribers.ts"
import type { FoundSubscriber } from "../questions.ts"
import { LEAD } from "./edge-bindings.ts"
import { FLAG, HELD } from "./edge-fields.ts"
import { type Answered, credentialsSum } from "./edge-record.ts"
import type { EdgeRows } from "./edge-rows.ts"

const AT = 0x40
const COLON = 0x3a

/** What writes the answer. */
export interface ContactWriter {
  text(text: string): void
  /** A part of some memory. */
  bytes(memory: Uint8Array, start: number, end: number): void
}

/**
 * A registration that is refreshed by a REGISTER of a known shape, and what is answered: a look at where it is kept, good
 * until something else than itself changes there.
 */
export class Known {
  readonly row: number
  readonly #rows: EdgeRows
  #aor: string | undefined

  constructor(rows: EdgeRows, row: number) {
    this.#rows = rows
    this.row = row
  }

  /** Also the name of the user, who may register nobody else. */
  get aor(): string {
    this.#aor ??= this.#rows.aor(this.row)
    return this.#aor
  }

  /** What is remembered of its user. */
  userIn(users: Pick<Subscribers, "recallBytes">, now: Instant): FoundSubscriber | undefined {
    const rows = this.#rows
    rows.seekAor(this.row)
    return users.recallBytes(rows.rows.memory, rows.aorStart, rows.aorEnd, now)
  }

  isFrom(flow: Flow): boolean {
    return this.#rows.isFrom(this.row, flow)
  }

  /** Whether a REGISTER of its shape changes nothing but the time at which it ends. */
  isRefresh(cseq: number, now: Instant): boolean {
    const place = this.#place()
    const { view } = this.#rows.rows
    return (
      view.getUint32(place + HELD.cseq) < cseq &&
      cseq <= view.getUint32(place + HELD.seenCseq) + 1 &&
      (view.getUint16(place + HELD.flags) & FLAG.sole) !== 0 &&
      readTime(view, place + HELD.promised) >= now + view.getUint32(place + HELD.granted)
    )
  }

  /** A REGISTER of its shape was seen: see `EdgeTable.notice`. */
  notice(cseq: number): void {
    const place = this.#place()
    const { view } = this.#rows.rows
    if (view.getUint32(place + HELD.seenCseq) + 1 === cseq) view.setUint32(place + HELD.seenCseq, cseq)
  }

  hasCredentials(a: number, b: number): boolean {
    const place = this.#place()
    const { view } = this.#rows.rows
    return view.getInt32(place + HELD.credentials) === credentialsSum(a, b)
  }

  /** Of its method and digest-uri. RFC 7616 §3.4.3. */
  get ha2(): string {
    const place = this.#place()
    return this.#rows.fields.ha2(this.#rows.rows.view, place)
  }

  get granted(): Duration {
    return this.#rows.rows.view.getUint32(this.#place() + HELD.granted) as Duration
  }

  /** Whether the answer has to say that RFC 5626 applies. */
  get outbound(): boolean {
    return (this.#rows.rows.view.getUint16(this.#place() + HELD.flags) & FLAG.outbound) !== 0
  }

  /** Those of its binding. RFC 3327. */
  get path(): readonly string[] {
    return this.#rows.read(this.row).held[0]!.binding.path
  }

  get hasPath(): boolean {
    return (this.#rows.rows.view.getUint16(this.#place() + HELD.flags) & FLAG.path) !== 0
  }

  /** For the To of its answers. */
  get toTag(): number {
    const place = this.#place()
    const { view } = this.#rows.rows
    return mixed(view.getInt32(place + HELD.shapeA) ^ view.getInt32(place + HELD.shapeB))
  }

  /** When the latest REGISTER was accepted. */
  get answeredAt(): Instant {
    return readTime(this.#rows.rows.view, this.#place() + HELD.refreshedAt)
  }

  /** The CSeq of the latest REGISTER where it was answered without a transaction; -1 where it was not. */
  get answeredCseq(): number {
    const place = this.#place()
    const { view } = this.#rows.rows
    const isAnswered = (view.getUint16(place + HELD.flags) & FLAG.answered) !== 0
    return isAnswered ? view.getUint32(place + HELD.cseq) : -1
  }

  /** Whether that was this one. */
  isAnswered({ branch, proof }: Answered): boolean {
    const place = this.#place()
    const { view } = this.#rows.rows
    return view.getInt32(place + HELD.branch) === branch && view.getInt32(place + HELD.proof) === proof
  }

  /** The latest REGISTER, which it has just been refreshed by, was answered so. */
  setAnswered({ branch, proof }: Answered): void {
    const place = this.#place()
    const { view } = this.#rows.rows
    view.setUint16(place + HELD.flags, view.getUint16(place + HELD.flags) | FLAG.answered)
    view.setInt32(place + HELD.branch, branch)
    view.setInt32(place + HELD.proof, proof)
  }

  /** `<URI>` and the parameters of its Contact. */
  writeContact(writer: ContactWriter): void {
    const { lead, start, end, parametersStart, parametersEnd, q } = this.#rows.contact(this.row)
    const { memory } = this.#rows.rows
    writer.text("<")
    if (lead >= LEAD.user) this.#writeLead(writer, lead)
    writer.bytes(memory, start, end)
    writer.text(">")
    writer.bytes(memory, parametersStart, parametersEnd)
    if (q !== 1_000) writer.text(`;q=${q / 1_000}`)
  }

  /** The user of the AOR, and the source as `formatAddress` writes it. */
  #writeLead(writer: ContactWriter, lead: number): void {
    const rows = this.#rows
    rows.seekHost(this.row)
    const { aorStart, hostStart, hostEnd } = rows
    const { memory, view } = rows.rows
    let end = aorStart
    while (memory[end] !== AT) end++
    writer.text("sip:")
    writer.bytes(memory, aorStart, end + 1)
    if (lead < LEAD.source) return
    let colon = hostStart
    while (colon < hostEnd && memory[colon] !== COLON) colon++
    const isBracketed = colon < hostEnd
    if (isBracketed) writer.text("[")
    writer.bytes(memory, hostStart, hostEnd)
    writer.text(isBracketed ? "]:" : ":")
    writer.text(String(view.getUint16(this.#place() + HELD.port)))
  }

  #place(): number {
    return this.#rows.first(this.row)
  }
}
