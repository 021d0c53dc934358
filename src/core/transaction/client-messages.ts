import { cseqOf } from "../sip/fields.ts"
import { Headers, NO_BODY, type SipRequest, type SipResponse } from "../sip/message.ts"
import { topViaText } from "./via-stack.ts"

/** The ACK for a refusal of an INVITE, of the same transaction. RFC 3261 §17.1.1.3. */
export const makeAck = (invite: SipRequest, response: SipResponse): SipRequest =>
  sibling(invite, "ACK", response.headers.first("To"))

/** Cancels an INVITE. RFC 3261 §9.1. */
export const makeCancel = (invite: SipRequest): SipRequest =>
  sibling(invite, "CANCEL", invite.headers.first("To"))

function sibling(invite: SipRequest, method: "ACK" | "CANCEL", to: string | undefined): SipRequest {
  const { headers } = invite
  return {
    kind: "request",
    method,
    uri: invite.uri,
    headers: new Headers([
      { name: "Via", value: topViaText(headers) ?? "" },
      ...headers.all("Route").map((value) => ({ name: "Route", value })),
      { name: "Max-Forwards", value: "70" },
      { name: "From", value: headers.first("From") ?? "" },
      { name: "To", value: to ?? "" },
      { name: "Call-ID", value: headers.first("Call-ID") ?? "" },
      { name: "CSeq", value: `${cseqOf(invite).number} ${method}` },
    ]),
    body: NO_BODY,
  }
}
