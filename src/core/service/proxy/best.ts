import type { SipRequest, SipResponse } from "../../sip/message.ts"
import { refusal } from "./validation.ts"

/** A final refusal of one branch: what came, or what the proxy says for it. */
export interface Refusal {
  readonly response: SipResponse
  /** Nothing came: the proxy's own 408, 430 or 503, and why. Undefined for what a target said. */
  readonly cause: string | undefined
}

/** What goes back to the caller. */
export interface Verdict {
  readonly response: SipResponse
  /** Where it is our own refusal, for the log. */
  readonly cause: string | undefined
}

const CHALLENGES = ["WWW-Authenticate", "Proxy-Authenticate"]

/** Those that tell the caller how to do better come first in their class. RFC 3261 §16.7 step 6. */
function rank({ response: { status }, cause }: Refusal): number {
  if (status >= 600) return 0
  const group = Math.floor(status / 100) * 100
  if (status === 401 || status === 407) return group
  if (status === 415 || status === 420 || status === 484) return group + 1
  if (status === 503) return group + 4
  if (cause !== undefined || status === 408 || status === 430 || status === 487) return group + 3
  return group + 2
}

/** What else decides the answer. */
export interface Circumstances {
  /** The caller gave up. */
  readonly cancelled: boolean
  /** The one who asked is a node of this fabric. */
  readonly toNode: boolean
}

/**
 * What the caller gets of several refusals: RFC 3261 §16.7 steps 6 and 7. A 503 speaks of the next
 * server and becomes our 500; a 430 is for proxies only (RFC 5626 §11.5) and becomes 480, but for
 * nodes. One who gave up gets the 487 that he waits for.
 */
export function bestRefusal(
  request: SipRequest,
  refusals: readonly Refusal[],
  { cancelled, toNode }: Circumstances,
): Verdict {
  if (cancelled) {
    const ended = refusals.find(({ response }) => response.status === 487)
    return { response: ended?.response ?? refusal(request, 487), cause: undefined }
  }
  const best = refusals.toSorted((a, b) => rank(a) - rank(b))[0]
  if (best === undefined) return { response: refusal(request, 480), cause: "there is nobody to ask" }
  const { cause } = best
  const { status } = best.response
  if (status === 503) return { response: refusal(request, 500), cause }
  if (status === 430 && !toNode) return { response: refusal(request, 480), cause }
  const isChallenge = status === 401 || status === 407
  return { response: isChallenge ? withAllChallenges(best.response, refusals) : best.response, cause }
}

function withAllChallenges(chosen: SipResponse, refusals: readonly Refusal[]): SipResponse {
  const others = refusals.map(({ response }) => response).filter((response) => response !== chosen)
  const challenges = others
    .filter(({ status }) => status === 401 || status === 407)
    .flatMap(({ headers }) => headers.fields.filter(({ name }) => CHALLENGES.includes(name)))
  return challenges.length === 0 ? chosen : { ...chosen, headers: chosen.headers.between([], challenges) }
}
