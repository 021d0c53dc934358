import { callIdOf, cseqOf, fromOf, toOf } from "../sip/fields.ts"
import type { SipRequest } from "../sip/message.ts"
import { branchOf, MAGIC_COOKIE, type Via } from "../sip/via.ts"
import { topViaText } from "./via-stack.ts"

/**
 * What a request has in common with the one that began its server transaction. RFC 3261 §17.2.3.
 * `method` is INVITE to find what an ACK or CANCEL is about, otherwise the request's own.
 */
export function matchKey(request: SipRequest, topVia: Via, method: string): string {
  const branch = branchOf(topVia)
  return branch?.startsWith(MAGIC_COOKIE)
    ? matchOf(method, `${topVia.host.toLowerCase()}:${topVia.port ?? ""}`, branch)
    : `${method} ${fallbackKey(request, method)}`
}

/** `sentBy`: host in lower case, a colon, the port where there is one. `branch` with its cookie. */
export const matchOf = (method: string, sentBy: string, branch: string): string =>
  `${method} ${sentBy} ${branch}`

/**
 * Of clients older than RFC 3261. The To tag does not count for an INVITE, as its ACK and CANCEL
 * would have another one; the same Call-ID, CSeq and From tag never make two INVITEs anyway.
 */
function fallbackKey(request: SipRequest, method: string): string {
  const toTag = method === "INVITE" ? "" : (toOf(request).parameters.get("tag") ?? "")
  const fromTag = fromOf(request).parameters.get("tag") ?? ""
  const via = topViaText(request.headers) ?? ""
  return [request.uri, fromTag, toTag, callIdOf(request), cseqOf(request).number, via].join("\n")
}
