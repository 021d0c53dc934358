import type { DataModel, KindId } from "./stored-data.ts"

/** Kinds that IANA keeps. A configuration document names them, and what it says of them is ignored. §11.1. */
export interface RegisteredKind {
  readonly name: string
  readonly id: KindId
  readonly model: DataModel
  readonly access: string
}

/** RFC 6940 §14.6, RFC 7904 §9.1, RFC 7374 §10.3, RFC 8076 §9.2. */
export const REGISTERED_KINDS: readonly RegisteredKind[] = [
  { name: "SIP-REGISTRATION", id: 0x1, model: "dictionary", access: "USER-NODE-MATCH" },
  { name: "TURN-SERVICE", id: 0x2, model: "single", access: "NODE-MULTIPLE" },
  { name: "CERTIFICATE_BY_NODE", id: 0x3, model: "array", access: "NODE-MATCH" },
  { name: "ACCESS-CONTROL-LIST", id: 0x4, model: "array", access: "USER-CHAIN-ACL" },
  { name: "CERTIFICATE_BY_USER", id: 0x10, model: "array", access: "USER-MATCH" },
  { name: "REDIR", id: 0x104, model: "dictionary", access: "NODE-ID-MATCH" },
]
