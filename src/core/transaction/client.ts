import type { SipResponse as Response } from "../sip/message.ts"

// What both client transactions are told, and what they answer with.

export type ClientInput =
  | { readonly kind: "response"; readonly response: Response }
  /** A CANCEL was sent for it. */
  | { readonly kind: "cancelled" }
  | { readonly kind: "transport-failed" }

export type ClientEffect =
  /** The request, once more. */
  | { readonly kind: "repeat" }
  /** The ACK for a refused INVITE, first or once more. */
  | { readonly kind: "acknowledge"; readonly response: Response }
  | { readonly kind: "pass"; readonly response: Response }
  /** `answered` says that a final response has been passed. */
  | { readonly kind: "finished"; readonly cause: "answered" | "timeout" | "transport-failed" }
