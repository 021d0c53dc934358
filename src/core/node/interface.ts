import type { Cryptography, Identity } from "../identity/certificate.ts"
import type { Address } from "../kit/address.ts"
import type { CountEffect, LogEffect } from "../kit/log.ts"
import type { Machine } from "../kit/machine.ts"
import type { Random } from "../kit/random.ts"
import type { Duration, Instant } from "../kit/time.ts"
import type { OverlayEffect, OverlayInput, Ticket } from "../overlay/interface.ts"
import type { Configuration } from "../reload/configuration.ts"
import type { SipEffect, SipInput } from "../service/sip-server-interface.ts"
import type { Hop, Listener } from "../sip/transport.ts"
import type { StorageChange } from "../storage/change.ts"
import type { EnrolmentLogResult, InviteUse } from "../usage/enrolment-log.ts"
import type { LookupResult } from "../usage/lookup.ts"

/** What an operator asks of a running node. Passwords come as they are and leave the node never. */
export type NodeCommand =
  /** `replace: false` refuses names that exist. All nodes know the users when the answer comes. */
  | {
      readonly kind: "put-users"
      readonly users: readonly { readonly name: string; readonly password: string }[]
      readonly mode: "add" | "import" | "change-password"
    }
  | { readonly kind: "remove-user"; readonly name: string }
  | { readonly kind: "list-users" }
  | { readonly kind: "lookup"; readonly aor: string }
  | { readonly kind: "drain" }
  /** A node shows an invite to this one, which serves enrolment: is a use of it left, and which Node-ID has its key? */
  | { readonly kind: "count-use"; readonly use: InviteUse }

export type NodeAnswer =
  | { readonly kind: "users-put"; readonly count: number }
  | { readonly kind: "user-removed"; readonly name: string }
  | { readonly kind: "users"; readonly names: readonly string[] }
  | Extract<LookupResult, { readonly kind: "found" }>
  | { readonly kind: "drained" }
  | Exclude<EnrolmentLogResult, { readonly kind: "refused" }>
  /** `code` is stable: user-exists, no-such-user, bad-name, unavailable. `cause`: what, why, what to do. */
  | {
      readonly kind: "refused"
      readonly code: "user-exists" | "no-such-user" | "bad-name" | "unavailable"
      readonly cause: string
    }

type SocketInput = Extract<SipInput, { kind: "received" | "flow-closed" | "send-failed" | "resolved" }>
type LinkInput = Extract<
  OverlayInput,
  {
    kind:
      | "start"
      | "identity"
      | "configuration"
      | "link-opened"
      | "link-failed"
      | "link-received"
      | "link-closed"
      | "persisted"
      | "persist-failed"
  }
>

export type NodeInput =
  | SocketInput
  | LinkInput
  | { readonly kind: "command"; readonly ticket: Ticket; readonly command: NodeCommand }

/** A hop whose node has been found by AppAttach: the host opens SIP/TLS to it and expects its certificate. */
export type ResolvedHop =
  | Exclude<Hop, { kind: "node" }>
  | { readonly kind: "node"; readonly node: string; readonly address: Address }

type SocketEffect = Extract<SipEffect, { kind: "close-flow" | "resolve" }>
type LinkEffect = Extract<
  OverlayEffect,
  { kind: "open-link" | "link-send" | "close-link" | "persist" | "configured" }
>

export type NodeEffect =
  | { readonly kind: "send"; readonly id: string; readonly hop: ResolvedHop; readonly bytes: Uint8Array }
  | SocketEffect
  | LinkEffect
  | { readonly kind: "answer"; readonly ticket: Ticket; readonly answer: NodeAnswer }
  /** Peers whose addresses are worth remembering: the host keeps them on disk as bootstrap for a restart. */
  | { readonly kind: "peers"; readonly addresses: readonly Address[] }
  /** The node's health changed: what `/healthz` says. */
  | { readonly kind: "health"; readonly health: Health }
  | LogEffect
  | CountEffect

export type Health =
  /** `cause`: why it does not join. */
  | { readonly state: "joining"; readonly cause?: string | undefined }
  | { readonly state: "draining" | "drained" }
  | { readonly state: "healthy" }
  | { readonly state: "unhealthy"; readonly cause: string }

export interface NodeSettings {
  readonly identity: Identity
  readonly cryptography: Cryptography
  readonly random: Random
  readonly configuration: Configuration
  /** The signed document of it; undefined: nodes that are behind get none from this one. */
  readonly document?: string
  /** RELOAD port as others reach it; SIP between nodes uses it too. */
  readonly advertised: Address
  readonly listeners: readonly Listener[]
  readonly aliases: readonly string[]
  readonly trusted: readonly string[]
  /** 32 bytes that all nodes of the fabric share, by epoch; the last signs, all verify. */
  readonly fabricKeys: readonly { readonly epoch: number; readonly key: Uint8Array }[]
  readonly digestAlgorithms: readonly ("MD5" | "SHA-256")[]
  readonly version: string
  /** How far this node's clock may be from those of the ring for it to join; default 30 s. */
  readonly clockBound?: Duration
  /** When the CA's root ends; default: with the configuration document. */
  readonly authorityExpires?: Instant
}

/** What `status` shows of one node of the fabric. */
export interface NodeStatus {
  readonly version: string
  readonly node: string
  readonly domain: string
  readonly overlay: string
  readonly health: Health
  readonly uptimeSeconds: number
  readonly advertised: string
  readonly roles: readonly string[]
  /** Living nodes, this one included, and how many of them serve each role. */
  readonly nodes: readonly {
    readonly node: string
    readonly address: string
    readonly roles: readonly string[]
    /** Failure domains that its operator has declared. */
    readonly site?: string | undefined
    readonly rack?: string | undefined
    readonly self: boolean
    /** What it runs; absent where it has not told. */
    readonly version?: string | undefined
  }[]
  /** How many milliseconds the clocks of other nodes are ahead of this one's; negative: behind. Also of nodes that have not joined. */
  readonly clocks: readonly { readonly node: string; readonly ahead: number }[]
  readonly roleCounts: Readonly<Record<string, number>>
  /** How many more nodes may die at once without losing a record, as far as this node knows. */
  readonly mayDie: number
  /** Counted in records: held here; of those, with their place here; short of a copy; waiting for one to be made by us. */
  readonly records: {
    readonly held: number
    readonly due: number
    /** Of those due, extra copies: the three holders stand in one failure domain, and this node in another. */
    readonly extra: number
    readonly short: number
    readonly repairing: number
  }
  readonly sip: {
    readonly pendingInvites: number
    readonly pendingTransactions: number
    readonly answeredCalls: number
    readonly registrations: number
  }
  readonly certificateDaysLeft: number
  /** Of the configuration document, and of the CA's root; at most a hundred years. */
  readonly configurationDaysLeft: number
  readonly authorityDaysLeft: number
}

/** One Carillon: SIP server, usage and overlay peer. Driven by the host or by the simulator. */
export interface CarillonNode extends Machine<NodeInput, NodeEffect> {
  status(now: number): NodeStatus
  /** How many milliseconds the clocks of other nodes are ahead of this one's. */
  readonly clocks: NodeStatus["clocks"]
  /** All records held now, and the certificates that verify them: what `restore` takes. */
  snapshot(): readonly StorageChange[]
  /** Loads what was persisted; before the first input. */
  restore(changes: readonly StorageChange[]): void
}
