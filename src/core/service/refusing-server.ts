import { count, log } from "../kit/log.ts"
import { NOTHING } from "../kit/machine.ts"
import { NEVER } from "../kit/time.ts"
import { fromOf, topVia } from "../sip/fields.ts"
import type { SipMessage } from "../sip/message.ts"
import { parseMessage } from "../sip/parse.ts"
import { SipParseError } from "../sip/parse-error.ts"
import { makeResponse } from "../sip/respond.ts"
import { serializeMessage } from "../sip/serialize.ts"
import type { Flow } from "../sip/transport.ts"
import { markReceived, responseHop } from "../transaction/response-route.ts"
import { statelessTag } from "../transaction/stateless.ts"
import { withTopVia } from "../transaction/via-stack.ts"
import { loggable } from "./names.ts"
import { unavailable } from "./refusal.ts"
import type { SipEffect, SipInput, SipServer, SipStatistics } from "./sip-server-interface.ts"

const IDLE: SipStatistics = {
  pendingInvites: 0,
  pendingTransactions: 0,
  answeredCalls: 0,
  registrations: 0,
}

/**
 * The SIP side of a node that serves no SIP: every request gets a 503 that says why, so that phones
 * and DNS move on, and nothing is kept. RFC 3261 §21.5.4, §16.11.
 */
export class RefusingServer implements SipServer {
  readonly deadline = NEVER
  readonly statistics = IDLE
  readonly #domain: string
  readonly #cause: string

  /** `cause`: one clause for the Warning and the log. */
  constructor(domain: string, cause: string) {
    this.#domain = domain
    this.#cause = cause
  }

  handle(input: SipInput): readonly SipEffect[] {
    return input.kind === "received" ? this.#receive(input.bytes, input.flow) : NOTHING
  }

  expire(): readonly SipEffect[] {
    return NOTHING
  }

  #receive(bytes: Uint8Array, flow: Flow): readonly SipEffect[] {
    const message = read(bytes)
    if (message instanceof SipParseError) return [count("sip_malformed_total", { reason: message.reason })]
    if (message.kind === "response" || message.method === "ACK") return NOTHING
    const { status, cause, headers } = unavailable(this.#domain, this.#cause)
    const via = markReceived(topVia(message), flow)
    const marked = { ...message, headers: withTopVia(message.headers, via) }
    const response = makeResponse(marked, status, undefined, { toTag: statelessTag(message), headers })
    const { method } = message
    const from = loggable(fromOf(message).uri)
    return [
      count("sip_refused_total", { status: `${status}` }),
      log("info", "sip.refused", { status, cause, method, from, source: flow.remote.host }),
      { kind: "send", id: "refusal", hop: responseHop(via, flow), bytes: serializeMessage(response) },
    ]
  }
}

function read(bytes: Uint8Array): SipMessage | SipParseError {
  try {
    return parseMessage(bytes)
  } catch (error) {
    if (error instanceof SipParseError) return error
    throw error
  }
}
