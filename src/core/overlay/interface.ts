import type { Certificate, Cryptography, Identity } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import type { Address } from "../kit/address.ts"
import type { CountEffect, LogEffect } from "../kit/log.ts"
import type { Machine } from "../kit/machine.ts"
import type { Random } from "../kit/random.ts"
import { type Duration, type Instant, milliseconds } from "../kit/time.ts"
import type { ErrorName } from "../reload/codes.ts"
import type { Configuration } from "../reload/configuration.ts"
import type { ResourceId } from "../reload/header.ts"
import type { KindId, StoredData, StoredMetaData, StoredValue } from "../reload/stored-data.ts"
import type { StorageChange } from "../storage/change.ts"
import type { KindDefinition } from "../storage/kind.ts"
import type { LivingValues } from "../storage/storage.ts"

/** Pairs a question with its answer; chosen by whoever asks. */
export type Ticket = number
/** A link's number on this node, given by the host when it is up. Never used twice in a process. */
export type LinkId = number
/** An attempt to open a link, numbered by the overlay. */
export type AttemptId = number

/** What is wanted of a record. `keys` for dictionaries and `ranges` for arrays; neither: everything. */
export interface Wanted {
  readonly kind: KindId
  readonly keys?: readonly Uint8Array[]
  readonly ranges?: readonly { readonly first: number; readonly last: number }[]
}

/** Lifetime in seconds. The overlay signs it as this node, at storage time `now`. */
export interface ValueToStore {
  readonly kind: KindId
  readonly value: StoredValue
  readonly lifetime: number
}

/** A question that could not be answered: an Error from a peer, or our own finding. */
export interface Failure {
  readonly kind: "failed"
  readonly error: ErrorName
  /** One sentence: who said so, about what. */
  readonly cause: string
}

/** A value whose signature and permission have been checked, and who signed it. */
export interface VerifiedValue {
  readonly data: StoredData
  readonly signer: Certificate
}

/** A peer, and where it takes connections. */
export interface KnownPeer {
  readonly node: NodeId
  readonly address: Address
}

export type OverlayInput =
  /**
   * Begin. Without addresses this node is the first; otherwise it joins through any of them, and keeps trying. One that
   * has lost its `records` joins a ring and never is one by itself, unless the loss is `accepted`.
   *
   * `resumed`: the ring has stood for long, and these are the peers that this one keeps a link to or that keep one to it. All
   * of its peers begin so at about the same time; each is one again once its links are up, and nobody sends a Join.
   */
  | {
      readonly kind: "start"
      readonly bootstrap: readonly Address[]
      readonly lost?: "records" | "accepted"
      readonly resumed?: readonly KnownPeer[]
    }
  /** TLS is up and the other end has shown this certificate; trust is the overlay's to judge. */
  | {
      readonly kind: "link-opened"
      readonly link: LinkId
      readonly attempt: AttemptId | undefined
      readonly certificate: Uint8Array
      readonly remote: Address
    }
  | { readonly kind: "link-failed"; readonly attempt: AttemptId; readonly reason: string }
  /** Bytes of the link's stream, cut anyhow. */
  | { readonly kind: "link-received"; readonly link: LinkId; readonly bytes: Uint8Array }
  | { readonly kind: "link-closed"; readonly link: LinkId; readonly reason: string }
  | { readonly kind: "persisted"; readonly ticket: Ticket }
  | { readonly kind: "persist-failed"; readonly ticket: Ticket; readonly reason: string }
  | {
      readonly kind: "fetch"
      readonly ticket: Ticket
      readonly resource: ResourceId
      readonly wanted: readonly Wanted[]
    }
  | {
      readonly kind: "stat"
      readonly ticket: Ticket
      readonly resource: ResourceId
      readonly wanted: readonly Wanted[]
    }
  | {
      readonly kind: "store"
      readonly ticket: Ticket
      readonly resource: ResourceId
      readonly values: readonly ValueToStore[]
    }
  /** Where does that node take connections of this application (5061: SIP)? RFC 6940 §6.5.2. */
  | {
      readonly kind: "app-attach"
      readonly ticket: Ticket
      readonly node: NodeId
      readonly application: number
    }
  | { readonly kind: "ping"; readonly ticket: Ticket; readonly node: NodeId }
  /** Hand everything over, then say Leave; `left` follows. */
  | { readonly kind: "leave" }
  /** A signed configuration document, newer than ours: it takes effect, and all other nodes get it. RFC 6940 §6.5.4. */
  | { readonly kind: "configuration"; readonly document: string }
  /** Our certificate has been renewed: the same Node-ID. Links stay up, and the other ends are told. */
  | { readonly kind: "identity"; readonly identity: Identity }

export type OverlayEffect =
  | { readonly kind: "open-link"; readonly attempt: AttemptId; readonly address: Address }
  | { readonly kind: "link-send"; readonly link: LinkId; readonly bytes: Uint8Array }
  | { readonly kind: "close-link"; readonly link: LinkId; readonly reason: string }
  /** Make it durable, then say `persisted`. Changes of one ticket are all or nothing. */
  | { readonly kind: "persist"; readonly ticket: Ticket; readonly changes: readonly StorageChange[] }
  /** We are a peer: what we are responsible for is here. Once for each `start`. */
  | { readonly kind: "joined" }
  /** All is handed over and said; the node may stop. */
  | { readonly kind: "left" }
  | {
      readonly kind: "fetched"
      readonly ticket: Ticket
      readonly result:
        | {
            readonly kind: "found"
            readonly values: ReadonlyMap<KindId, readonly VerifiedValue[]>
            readonly path: QueryPath
          }
        | Failure
    }
  | {
      readonly kind: "stat-answered"
      readonly ticket: Ticket
      readonly result:
        | {
            readonly kind: "found"
            readonly values: ReadonlyMap<KindId, readonly StoredMetaData[]>
            readonly path: QueryPath
          }
        | Failure
    }
  | {
      readonly kind: "stored"
      readonly ticket: Ticket
      /** `copies`: holders that have it on disk, the responsible peer included. */
      readonly result:
        | { readonly kind: "stored"; readonly copies: number; readonly path: QueryPath }
        | Failure
    }
  | {
      readonly kind: "app-attached"
      readonly ticket: Ticket
      readonly result: { readonly kind: "found"; readonly address: Address } | Failure
    }
  | {
      readonly kind: "pinged"
      readonly ticket: Ticket
      readonly result:
        | { readonly kind: "alive"; readonly roundTrip: Duration; readonly clock: number }
        | Failure
    }
  /** Another configuration is in force: to be kept, and obeyed at the next start. */
  | { readonly kind: "configured"; readonly document: string; readonly configuration: Configuration }
  /** A node became, or is no longer, a living peer. */
  | { readonly kind: "peer-up"; readonly node: NodeId }
  | { readonly kind: "peer-down"; readonly node: NodeId }
  | LogEffect
  | CountEffect

/** How a question was answered, for `carillon lookup`. */
export interface QueryPath {
  readonly responder: NodeId
  readonly hops: number
  readonly took: Duration
}

export interface OverlaySettings {
  readonly identity: Identity
  readonly cryptography: Cryptography
  readonly random: Random
  readonly configuration: Configuration
  /** The signed document of it, to be handed on to nodes that are behind; undefined: nobody gets one from us. */
  readonly document?: string
  /** Standard and private Kinds that this node serves. */
  readonly kinds: readonly KindDefinition[]
  /** Where others open links to us: our RELOAD port as advertised. */
  readonly advertised: Address
  /** What we answer to AppAttach, by application. */
  readonly applications: ReadonlyMap<number, Address>
  /** How far this node's clock may be from those of the ring for it to join; default 30 s. */
  readonly clockBound?: Duration
  /** Above this many nodes tables alone are kept instead of a link to everyone. */
  readonly fullMeshLimit: number
  /** How closely links are watched; asked at every round, so that it may change. Default: `WATCHFUL`. */
  readonly watch?: () => LinkWatch
}

/** How often all links are looked at, and how long a neighbor may be silent before it is probed. */
export interface LinkWatch {
  readonly round: Duration
  readonly neighborIdle: Duration
}

/** Silence to rerouted in less than 3 s. */
export const WATCHFUL: LinkWatch = { round: milliseconds(200), neighborIdle: milliseconds(500) }

export interface PeerStatus {
  readonly node: NodeId
  readonly certificate: Certificate
  readonly address: Address | undefined
  readonly linked: boolean
}

export interface OverlayStatus {
  readonly state: "starting" | "joining" | "joined" | "leaving" | "left"
  readonly peers: readonly PeerStatus[]
  /** How far the clock of each linked node is ahead of ours, as far as it is known; of peers and of those that are none yet. */
  readonly clocks: readonly { readonly node: NodeId; readonly ahead: Duration }[]
  /** Why this node does not join, a sentence; undefined where nothing keeps it. */
  readonly obstacle: string | undefined
  readonly records: Holdings
}

/** Records of this peer, counted by what the ring asks of it. */
export interface Holdings {
  readonly held: number
  /** Of those held, the ones that have their place here: we are one of their three holders, or have the extra copy. */
  readonly due: number
  /** Of those due, the extra copies: their three holders stand in one failure domain, and we in another. */
  readonly extra: number
  /** Of those due, the ones that we are responsible for and that not all are known to hold who ought to. */
  readonly short: number
  /** Of those held, the ones of which we owe a copy to another peer: it is on its way, or waits for its turn. */
  readonly repairing: number
  /** How many peers are known to hold each record at least, ourselves included: 3 where nothing is amiss. */
  readonly fewest: number
}

export interface Overlay extends Machine<OverlayInput, OverlayEffect> {
  readonly status: OverlayStatus
  /** The Resource-ID of a Resource Name, or of the bytes of a Node-ID: its hash. RFC 6940 §10.2, §7.3. */
  resourceId(name: string | Uint8Array): ResourceId
  /** Peers that hold a record, the responsible one first. */
  holders(resource: ResourceId): readonly NodeId[]
  /**
   * The values of a Kind at that place, where a `fetch` would be answered with them by this node itself.
   * Undefined where others have to be asked.
   */
  heldHere(resource: ResourceId, kind: KindId, now: Instant): LivingValues | undefined
  /** The peer that a message for that place is passed on to; undefined where it has arrived. */
  nextHop(resource: ResourceId): NodeId | undefined
  /** All that is held, as `restore` takes it. */
  snapshot(): readonly StorageChange[]
  /** Loads what was persisted; before `start`. */
  restore(changes: readonly StorageChange[]): void
}
