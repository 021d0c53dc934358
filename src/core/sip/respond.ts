import { FormatError } from "../kit/errors.ts"
import { tagOf, toOf } from "./fields.ts"
import { type HeaderField, type Headers, NO_BODY, type SipRequest, type SipResponse } from "./message.ts"

/** The standard reason phrases. RFC 3261 §21 and the RFCs that add to it. */
export const REASONS: Readonly<Record<number, string>> = {
  100: "Trying",
  180: "Ringing",
  181: "Call Is Being Forwarded",
  182: "Queued",
  183: "Session Progress",
  199: "Early Dialog Terminated",
  200: "OK",
  202: "Accepted",
  204: "No Notification",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Moved Temporarily",
  305: "Use Proxy",
  380: "Alternative Service",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  410: "Gone",
  412: "Conditional Request Failed",
  413: "Request Entity Too Large",
  414: "Request-URI Too Long",
  415: "Unsupported Media Type",
  416: "Unsupported URI Scheme",
  417: "Unknown Resource-Priority",
  420: "Bad Extension",
  421: "Extension Required",
  422: "Session Interval Too Small",
  423: "Interval Too Brief",
  424: "Bad Location Information",
  428: "Use Identity Header",
  429: "Provide Referrer Identity",
  430: "Flow Failed",
  433: "Anonymity Disallowed",
  436: "Bad Identity Info",
  437: "Unsupported Credential",
  438: "Invalid Identity Header",
  439: "First Hop Lacks Outbound Support",
  440: "Max-Breadth Exceeded",
  469: "Bad Info Package",
  470: "Consent Needed",
  480: "Temporarily Unavailable",
  481: "Call/Transaction Does Not Exist",
  482: "Loop Detected",
  483: "Too Many Hops",
  484: "Address Incomplete",
  485: "Ambiguous",
  486: "Busy Here",
  487: "Request Terminated",
  488: "Not Acceptable Here",
  489: "Bad Event",
  491: "Request Pending",
  493: "Undecipherable",
  494: "Security Agreement Required",
  500: "Server Internal Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Server Time-out",
  505: "Version Not Supported",
  513: "Message Too Large",
  555: "Push Notification Service Not Supported",
  580: "Precondition Failure",
  600: "Busy Everywhere",
  603: "Decline",
  604: "Does Not Exist Anywhere",
  606: "Not Acceptable",
  607: "Unwanted",
  608: "Rejected",
}

/** The standard phrase; that of the class's x00 where the status has none. */
export const reasonOf = (status: number): string =>
  REASONS[status] ?? REASONS[Math.floor(status / 100) * 100] ?? ""

export interface ResponseExtra {
  /** Put into To where the request's To has no tag. RFC 3261 §8.2.6.2. */
  readonly toTag?: string
  /** Follow those that the request gives. */
  readonly headers?: readonly HeaderField[]
  readonly body?: string
}

/**
 * An answer to a request. RFC 3261 §8.2.6. All Vias, From, To, Call-ID and CSeq are repeated as they came;
 * Timestamp in a 100; Record-Route in answers that may make a dialog (§12.1.1).
 */
export function makeResponse(
  request: SipRequest,
  status: number,
  reason: string = reasonOf(status),
  extra: ResponseExtra = {},
): SipResponse {
  const { toTag, headers = NO_FIELDS, body = NO_BODY } = extra
  const repeated = request.headers.filter(
    status === 100 ? isRepeatedInTrying : status < 300 ? isRepeatedInSuccess : isRepeated,
  )
  const tagged = toTag === undefined ? repeated : withToTag(repeated, toTag)
  return { kind: "response", status, reason, headers: tagged.between(NO_FIELDS, headers), body }
}

const NO_FIELDS: readonly HeaderField[] = []

function isRepeated(name: string): boolean {
  return name === "Via" || name === "From" || name === "To" || name === "Call-ID" || name === "CSeq"
}

const isRepeatedInTrying = (name: string): boolean => isRepeated(name) || name === "Timestamp"
const isRepeatedInSuccess = (name: string): boolean => isRepeated(name) || name === "Record-Route"

/** With that tag in To, unless it has one. A To that cannot be read stays as it is. */
function withToTag(headers: Headers, tag: string): Headers {
  try {
    const to = headers.first("To")
    return to === undefined || tagOf(toOf({ headers })) !== undefined
      ? headers
      : headers.with("To", `${to};tag=${tag}`)
  } catch (error) {
    if (error instanceof FormatError) return headers
    throw error
  }
}
