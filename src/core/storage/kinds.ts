import { ENROLMENT, PROVISIONER, REGISTRAR } from "../identity/roles.ts"
import type { KindId } from "../reload/stored-data.ts"
import type { KindDefinition } from "./kind.ts"

// Every Kind that this node serves. docs/kinds.md says what the values are.

/** Where a user's own devices are, stored by them. RFC 7904 §7, §9.1. */
export const SIP_REGISTRATION: KindDefinition = {
  id: 0x1,
  name: "SIP-REGISTRATION",
  model: "dictionary",
  access: "USER-NODE-MATCH",
  maxCount: 64,
  maxSize: 2_048,
}

/** Peers that offer to be TURN servers. RFC 6940 §9. */
export const TURN_SERVICE: KindDefinition = {
  id: 0x2,
  name: "TURN-SERVICE",
  model: "single",
  access: "NODE-MULTIPLE",
  maxNodeMultiple: 20,
  maxCount: 1,
  maxSize: 64,
}

/** RFC 6940 §8. */
export const CERTIFICATE_BY_NODE: KindDefinition = {
  id: 0x3,
  name: "CERTIFICATE_BY_NODE",
  model: "array",
  access: "NODE-MATCH",
  maxCount: 8,
  maxSize: 4_096,
}

/** RFC 6940 §8. */
export const CERTIFICATE_BY_USER: KindDefinition = {
  id: 0x10,
  name: "CERTIFICATE_BY_USER",
  model: "array",
  access: "USER-MATCH",
  maxCount: 8,
  maxSize: 4_096,
}

/** What each registrar knows of an AOR's bindings, an entry for each. */
export const SIP_BINDINGS: KindDefinition = {
  id: 0xf0000001,
  name: "SIP-BINDINGS",
  model: "dictionary",
  access: "CARILLON-ROLE-NODE",
  role: REGISTRAR,
  maxCount: 512,
  maxSize: 32_768,
}

/** A user, with secrets that storing peers cannot read. */
export const SUBSCRIBER: KindDefinition = {
  id: 0xf0000002,
  name: "SUBSCRIBER",
  model: "single",
  access: "CARILLON-ROLE",
  role: PROVISIONER,
  maxCount: 1,
  maxSize: 8_192,
}

/** The names of all users, in shards, since a hash table cannot list what it holds. */
export const SUBSCRIBER_INDEX: KindDefinition = {
  id: 0xf0000003,
  name: "SUBSCRIBER-INDEX",
  model: "dictionary",
  access: "CARILLON-ROLE",
  role: PROVISIONER,
  maxCount: 2_048,
  maxSize: 64,
}

/** What a node writes and reads back to know that the fabric works. */
export const NODE_HEALTH: KindDefinition = {
  id: 0xf0000004,
  name: "NODE-HEALTH",
  model: "single",
  access: "NODE-MATCH",
  maxCount: 1,
  maxSize: 64,
}

/** Who has used an invite, so that all enrolment nodes count alike. */
export const ENROLMENT_LOG: KindDefinition = {
  id: 0xf0000005,
  name: "ENROLMENT-LOG",
  model: "dictionary",
  access: "CARILLON-ROLE",
  role: ENROLMENT,
  maxCount: 256,
  maxSize: 64,
}

/** In the order of their Kind-IDs. */
export const DEFAULT_KINDS: readonly KindDefinition[] = [
  SIP_REGISTRATION,
  TURN_SERVICE,
  CERTIFICATE_BY_NODE,
  CERTIFICATE_BY_USER,
  SIP_BINDINGS,
  SUBSCRIBER,
  SUBSCRIBER_INDEX,
  NODE_HEALTH,
  ENROLMENT_LOG,
]

/** Those that the configuration document has to declare, being in private space. RFC 6940 §14.6. */
export const PRIVATE_KINDS: readonly KindDefinition[] = DEFAULT_KINDS.filter(({ id }) => id >= 0xf0000001)

/** The Kinds in force on a node, by Kind-ID. */
export class KindRegistry {
  readonly definitions: readonly KindDefinition[]
  readonly #byId: ReadonlyMap<KindId, KindDefinition>

  constructor(definitions: readonly KindDefinition[] = DEFAULT_KINDS) {
    this.definitions = definitions
    this.#byId = new Map(definitions.map((each) => [each.id, each]))
  }

  get(id: KindId): KindDefinition | undefined {
    return this.#byId.get(id)
  }
}
