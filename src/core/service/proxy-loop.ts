import { checksum } from "../kit/checksum.ts"
import type { Random } from "../kit/random.ts"
import { randomToken } from "../kit/token.ts"
import { callIdOf, cseqOf, viasOf } from "../sip/fields.ts"
import type { SipRequest } from "../sip/message.ts"
import { branchOf, MAGIC_COOKIE } from "../sip/via.ts"
import { topViaText } from "../transaction/via-stack.ts"

// Branches in two parts, `z9hG4bK<unique>-<loop mark>`, so that a request that comes back unchanged
// is known again. RFC 5393 §4.2.

/** Header fields that decide where a request goes, or whether; beside the Request-URI. */
const DECISIVE = ["Route", "From", "To", "Proxy-Require", "Proxy-Authorization"]

const SECOND_SEED = 0x9e3779b1

/** The second part: equal for requests that would be treated alike. Not of the method. */
export function loopMark(received: SipRequest): string {
  const parts = [received.uri, callIdOf(received), String(cseqOf(received).number)]
  for (const name of DECISIVE) parts.push(...received.headers.all(name))
  const text = parts.join("\n")
  return checksum(text) + checksum(text, SECOND_SEED)
}

/** Whether this proxy, known by its `sentBys`, sent the very same request on before. */
export function isLooping(received: SipRequest, mark: string, sentBys: ReadonlySet<string>): boolean {
  const suffix = `-${mark}`
  if (!received.headers.all("Via").some((field) => field.includes(suffix))) return false
  return viasOf(received).some(
    (via) => branchOf(via)?.endsWith(suffix) && sentBys.has(`${via.host}:${via.port}`),
  )
}

export const newBranch = (random: Random, number: number, mark: string): string =>
  `${MAGIC_COOKIE}${randomToken(random)}${number.toString(36)}-${mark}`

/** The branch of a request that is forwarded without state: the same each time. RFC 3261 §16.11. */
export function statelessBranch(request: SipRequest): string {
  const text = `${topViaText(request.headers)}\n${callIdOf(request)}\n${request.headers.first("CSeq")}`
  return MAGIC_COOKIE + checksum(text) + checksum(text, SECOND_SEED)
}
