import { checksum } from "../kit/checksum.ts"
import type { SipRequest } from "../sip/message.ts"
import { topViaText } from "./via-stack.ts"

/** A To tag that is the same for every retransmission of a request, as RFC 3261 §8.2.7 wants it. */
export const statelessTag = (request: SipRequest): string =>
  checksum(`${topViaText(request.headers)}\n${request.headers.first("Call-ID")}`)
