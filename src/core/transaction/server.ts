import type { SipRequest as Request, SipResponse as Response } from "../sip/message.ts"

// What both server transactions are told, and what they answer with.

export type ServerInput =
  | { readonly kind: "retransmission" }
  | { readonly kind: "response"; readonly response: Response }
  /** Only an INVITE is acknowledged. */
  | { readonly kind: "acknowledged"; readonly request: Request }
  | { readonly kind: "transport-failed" }

export type ServerEffect =
  | { readonly kind: "send"; readonly response: Response }
  /** Nobody has answered yet, and the client should hear a 100 Trying. */
  | { readonly kind: "overdue" }
  /** An ACK that is its user's to deal with. */
  | { readonly kind: "pass"; readonly request: Request }
  /** `unacknowledged`: the final response to an INVITE was never acknowledged. */
  | { readonly kind: "finished"; readonly cause: "answered" | "unacknowledged" | "transport-failed" }
