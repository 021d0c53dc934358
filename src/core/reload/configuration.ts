import type { NodeId } from "../identity/node-id.ts"
import type { Address } from "../kit/address.ts"
import type { Duration, Instant } from "../kit/time.ts"
import type { DataModel, KindId } from "./stored-data.ts"

/** A kind-block's kind. RFC 6940 §11.1. */
export interface KindDescription {
  readonly id: KindId
  readonly name: string | undefined
  readonly model: DataModel
  readonly access: string
  readonly maxCount: number
  readonly maxSize: number
  /** Of NODE-MULTIPLE: the largest i. */
  readonly maxNodeMultiple?: number
  /** Of CARILLON-ROLE…: the role that it asks for. Private, namespace `urn:carillon:config`. */
  readonly role?: string
}

/** The overlay configuration document, RFC 6940 §11.1, as far as we act on it. */
export interface Configuration {
  readonly instanceName: string
  /** 0 to 65534. */
  readonly sequence: number
  readonly expiration: Instant
  readonly topologyPlugin: string
  readonly nodeIdLength: number
  /** DER. */
  readonly rootCertificates: readonly Uint8Array[]
  readonly enrollmentServers: readonly string[]
  readonly bootstrapNodes: readonly Address[]
  readonly clientsPermitted: boolean
  readonly noIce: boolean
  readonly maxMessageSize: number
  readonly initialTtl: number
  readonly overlayReliabilityTimer: Duration
  readonly overlayLinkProtocols: readonly string[]
  readonly configurationSigners: readonly NodeId[]
  readonly kindSigners: readonly NodeId[]
  readonly badNodes: readonly NodeId[]
  readonly mandatoryExtensions: readonly string[]
  readonly kinds: readonly KindDescription[]
  readonly chord: {
    readonly updateInterval: Duration
    readonly pingInterval: Duration
    readonly reactive: boolean
  }
  /** Private: SIP domain and realm of the overlay. Namespace `urn:carillon:config`. */
  readonly sipDomain: string
}
