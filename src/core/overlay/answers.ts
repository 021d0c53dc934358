import { LIMITS } from "../kit/limits.ts"
import { after, type Instant, seconds } from "../kit/time.ts"
import type { ErrorName } from "../reload/codes.ts"
import { ErrorCode } from "../reload/codes.ts"
import type { MessageBody } from "../reload/message.ts"
import type { Fabric } from "./fabric.ts"
import type { Message, Messenger, Received, WayBack } from "./messenger.ts"

/** A request may be repeated for so long. RFC 6940 §6.2.1. */
const REMEMBERED = seconds(15)

interface Answered {
  readonly until: Instant
  /** Undefined while it is being worked out. Signed anew where it is told again, which is rare; bytes would be kept of each. */
  answer: Message | undefined
  /** Of the last copy of the request: that way back is the one that works. Its body may be large, and is let go. */
  wayBack: WayBack
}

/** What may be asked twice without harm is worked out twice; everything else is remembered. */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "ping-req",
  "fetch-req",
  "stat-req",
  "find-req",
  "probe-req",
])

/** Answers to requests, and the memory by which a repeated request gets the same answer. RFC 6940 §6.2.1. */
export class Answers {
  readonly #fabric: Fabric
  readonly #messenger: Messenger
  /** By transaction and signer, in the order in which they came. */
  readonly #answered = new Map<string, Answered>()

  constructor(fabric: Fabric, messenger: Messenger) {
    this.#fabric = fabric
    this.#messenger = messenger
  }

  /** Whether this request is new. One that is not has been dealt with. */
  isNew(request: Received): boolean {
    if (IDEMPOTENT.has(request.body.kind)) return true
    const key = keyOf(request)
    const { header, link } = request
    const wayBack = { header, link }
    const known = this.#answered.get(key)
    if (known && known.until > this.#fabric.now) {
      known.wayBack = wayBack
      if (known.answer) this.#messenger.answer(request, known.answer)
      return false
    }
    this.#forgetOld()
    const until = after(this.#fabric.now, REMEMBERED)
    this.#answered.set(key, { until, answer: undefined, wayBack })
    return true
  }

  answer(request: Received, body: MessageBody, certificates?: readonly Uint8Array[]): void {
    const answer = { body, certificates }
    const known = this.#answered.get(keyOf(request))
    if (known) known.answer = answer
    const sent = this.#messenger.answer(known?.wayBack ?? request, answer)
    if (!sent && body.kind !== "error")
      this.refuse(request, "Error_Response_Too_Large", "the answer is too large")
  }

  refuse(request: Received, error: ErrorName, cause: string, info: Uint8Array = new Uint8Array()): void {
    this.#fabric.log("debug", "overlay.answered-error", {
      node: request.node,
      method: request.body.kind,
      error,
      cause,
    })
    this.answer(request, { kind: "error", code: ErrorCode[error], info })
  }

  #forgetOld(): void {
    for (const [key, { until }] of this.#answered) {
      if (until > this.#fabric.now && this.#answered.size < LIMITS.reload.rememberedAnswers) break
      this.#answered.delete(key)
    }
  }
}

const keyOf = ({ header, node }: Received): string => `${header.transaction}${node}`
