import { FOUR_DIGITS, fourDigits } from "../../kit/base36.ts"
import { checksum, checksumOfLines } from "../../kit/checksum.ts"
import type { Random } from "../../kit/random.ts"
import { randomToken } from "../../kit/token.ts"
import { callIdOf, cseqOf, viasOf } from "../../sip/fields.ts"
import type { SipRequest } from "../../sip/message.ts"
import { branchOf, MAGIC_COOKIE } from "../../sip/via.ts"
import { defaultPort } from "../../transaction/response-route.ts"
import { topViaText } from "../../transaction/via-stack.ts"

// Branches in two parts, `z9hG4bK<unique>-<loop mark>`, so that a request that comes back unchanged
// is known again. RFC 5393 §4.2.

/** Header fields that decide where a request goes, or whether; beside the Request-URI. */
const DECISIVE = ["Route", "From", "To", "Proxy-Require", "Proxy-Authorization"]

const SECOND_SEED = 0x9e3779b1

/**
 * The second part: equal for requests that would be treated alike. Not of the method. Short, as it
 * travels with every message; by chance two of a spiral's requests are alike once in two billion.
 */
export function loopMark(received: SipRequest): string {
  const parts = [received.uri, callIdOf(received), String(cseqOf(received).number)]
  const { headers } = received
  for (const name of DECISIVE)
    for (let at = headers.indexOf(name); at >= 0; at = headers.indexOf(name, at + 1))
      parts.push(headers.valueAt(at))
  return checksumOfLines(parts).slice(1)
}

/** Whether this proxy, known by its `sentBys` (`host:port`), sent the very same request on before. */
export function isLooping(received: SipRequest, mark: string, sentBys: ReadonlySet<string>): boolean {
  const suffix = `-${mark}`
  for (const via of viasOf(received)) {
    if (branchOf(via)?.endsWith(suffix) !== true) continue
    if (sentBys.has(`${via.host}:${via.port ?? defaultPort(via.transport)}`)) return true
  }
  return false
}

const RANDOM_DIGITS = 5
/** `number` comes round after 1.7 million branches; the random digits tell those apart that are left from before. */
export function newBranch(random: Random, number: number, mark: string): string {
  const counted = fourDigits(number % FOUR_DIGITS)
  return `${MAGIC_COOKIE}${randomToken(random).slice(-RANDOM_DIGITS)}${counted}-${mark}`
}

/** The branch of a request that is forwarded without state: the same each time. RFC 3261 §16.11. */
export const statelessBranch = (request: SipRequest): string =>
  statelessBranchOf(topViaText(request.headers) ?? "", callIdOf(request), request.headers.first("CSeq") ?? "")

/** The same of the values of those fields: the topmost Via, Call-ID, CSeq. */
export function statelessBranchOf(via: string, callId: string, cseq: string): string {
  const text = `${via}\n${callId}\n${cseq}`
  return MAGIC_COOKIE + checksum(text) + checksum(text, SECOND_SEED)
}
