import type { DataModel, KindId } from "../reload/stored-data.ts"

/** Who may write. RFC 6940 §7.3 and, for CARILLON-ROLE-NODE and CARILLON-ROLE, our own: docs/kinds.md. */
export type AccessPolicy =
  | "USER-MATCH"
  | "NODE-MATCH"
  | "USER-NODE-MATCH"
  | "NODE-MULTIPLE"
  /** Dictionary: the key is the signer's Node-ID, and the signer's certificate holds the role. */
  | "CARILLON-ROLE-NODE"
  /** Any signer whose certificate holds the role. */
  | "CARILLON-ROLE"

/** A Kind as the configuration document declares it. RFC 6940 §11.1, kind-block. */
export interface KindDefinition {
  readonly id: KindId
  readonly name: string
  readonly model: DataModel
  readonly access: AccessPolicy
  /** The role that CARILLON-ROLE… asks for. */
  readonly role?: string
  /** The greatest `i` that NODE-MULTIPLE tries: max-node-multiple. §7.3.4. */
  readonly maxNodeMultiple?: number
  /** Most values that exist in one record; an array's indexes lie below it. */
  readonly maxCount: number
  /** Most bytes in one value. */
  readonly maxSize: number
}
