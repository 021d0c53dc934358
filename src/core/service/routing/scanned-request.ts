import { toLatin1 } from "../../kit/bytes.ts"
import { MessageScan, NAME_START, VALUE_END, VALUE_START } from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import { isWrittenOurWay } from "../../sip/scan-spelling.ts"
import type { Flow } from "../../sip/transport.ts"
import { REPEATED, type Repeated } from "../../transaction/onward.ts"

/** Larger requests are rare. */
const MOST_BYTES = 4_096

/** What the general way looks at, refuses by, or takes off in every request. */
const UNUSUAL = [
  ...["Record-Route", "Path", "Proxy-Require", "Max-Breadth", "P-Asserted-Identity", "P-Preferred-Identity"],
  ...["Remote-Party-ID", "P-Preferred-Service", "P-Asserted-Service"],
].map(headerNumber)

/**
 * A request as it stands in its bytes, for those who send it on as it came. What it says is that of the message that was read
 * last.
 */
export class ScannedRequest {
  readonly scan = new MessageScan()
  text = ""
  uri = ""
  #rest = ""
  /** Up to where the message has gone into `#rest`. */
  #taken = 0
  /** Of what has been changed: where in the message, and by how much it has become longer. */
  readonly #changes: number[] = []
  /** So many of these numbers count. */
  #changed = 0

  /**
   * False where the general way has to judge it: it came otherwise than from a phone over UDP, is larger than most, is written
   * in another way than ours, or has a header field that is unusual everywhere, or one of `refused`.
   */
  read(bytes: Uint8Array, { transport, node }: Flow, refused: readonly number[]): boolean {
    const { scan } = this
    if (transport !== "UDP" || node !== undefined || bytes.length > MOST_BYTES) return false
    if (!scan.read(bytes) || scan.kind !== "request") return false
    for (const number of UNUSUAL) if (scan.first(number) >= 0) return false
    for (const number of refused) if (scan.first(number) >= 0) return false
    if (!isWrittenOurWay(scan, bytes)) return false
    this.text = toLatin1(bytes)
    this.uri = this.text.slice(scan.uriStart, scan.uriEnd)
    return true
  }

  // The header fields and the body as they go on: the first field to be changed first.

  beginRest(): void {
    this.#rest = ""
    this.#taken = this.scan.fields[NAME_START]!
    this.#changed = 0
  }

  /** Puts another value in the place of a field's. */
  replace(place: number, value: string): void {
    const { fields } = this.scan
    this.#change(fields[place + VALUE_START]!, fields[place + VALUE_END]!, value)
  }

  /** Leaves a field out. */
  leaveOut(place: number): void {
    const { fields } = this.scan
    this.#change(fields[place + NAME_START]!, fields[place + VALUE_END]! + 2, "")
  }

  #change(start: number, end: number, text: string): void {
    this.#rest += this.text.slice(this.#taken, start) + text
    this.#taken = end
    this.#changes[this.#changed++] = start
    this.#changes[this.#changed++] = text.length - (end - start)
  }

  endRest(): string {
    return this.#rest + this.text.slice(this.#taken, this.scan.bodyEnd)
  }

  /** Of the message that ends with what `endRest` gave. */
  get repeated(): Repeated {
    const { scan } = this
    const places: number[] = []
    for (const number of REPEATED) {
      const place = scan.first(number)
      places.push(
        this.#fromEnd(scan.fields[place + VALUE_START]!),
        this.#fromEnd(scan.fields[place + VALUE_END]!),
      )
    }
    return places
  }

  #fromEnd(at: number): number {
    let length = this.scan.bodyEnd - at
    for (let change = 0; change < this.#changed; change += 2)
      if (this.#changes[change]! >= at) length += this.#changes[change + 1]!
    return length
  }

  /** Of the first such header field. */
  value(number: number): string {
    return this.valueAt(this.scan.first(number))
  }

  valueAt(place: number): string {
    const { fields } = this.scan
    return this.text.slice(fields[place + VALUE_START]!, fields[place + VALUE_END]!)
  }
}
