import { options, type Phone, type Place, phoneOf } from "../wire.ts"
import { firstLine, type Line, type Script } from "./script.ts"

/** OPTIONS to the server itself. */
export class Questions implements Script {
  readonly #line: Line
  readonly #place: Place
  readonly #phones: readonly Phone[]

  constructor(line: Line, place: Place) {
    this.#line = line
    this.#place = place
    this.#phones = Array.from({ length: line.order.outstanding }, (_, number) =>
      phoneOf(number, place.domain),
    )
  }

  begin(slot: number): boolean {
    this.#line.ask(slot, options(this.#place, this.#phones[slot]!, this.#line.branch(slot)))
    return true
  }

  answered(slot: number, status: number, text: string): void {
    const phone = this.#phones[slot]!
    const callId = `Call-ID: o${phone.cseq}-${phone.user}-`
    if (status !== 200 || !text.includes(callId)) this.#line.complain(`OPTIONS: ${firstLine(text)}`)
    this.#line.measure(slot)
    this.#line.finished(slot)
  }
}
