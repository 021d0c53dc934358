import { toLatin1 } from "../../kit/bytes.ts"
import { MessageScan, VALUE_END, VALUE_START } from "../../sip/scan.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import { isWrittenOurWay } from "../../sip/scan-spelling.ts"
import type { Flow } from "../../sip/transport.ts"

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

  /** Of the first such header field. */
  value(number: number): string {
    return this.valueAt(this.scan.first(number))
  }

  valueAt(place: number): string {
    const { fields } = this.scan
    return this.text.slice(fields[place + VALUE_START]!, fields[place + VALUE_END]!)
  }
}
