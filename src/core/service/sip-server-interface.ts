import type { Hashes } from "../kit/crypto.ts"
import type { CountEffect, LogEffect } from "../kit/log.ts"
import type { Machine } from "../kit/machine.ts"
import type { Random } from "../kit/random.ts"
import type { Room } from "../kit/room.ts"
import type { Duration, Instant } from "../kit/time.ts"
import type { Flow, Hop, Listener } from "../sip/transport.ts"
import type { FoundBindings, StoreAnswer, StoreRequest, Ticket } from "./stores.ts"

/** A question to the domain name system, as RFC 3263 asks them. */
export interface DnsQuestion {
  readonly type: "NAPTR" | "SRV" | "A" | "AAAA"
  readonly name: string
}

export type DnsRecord =
  | {
      readonly type: "NAPTR"
      readonly order: number
      readonly preference: number
      readonly flags: string
      readonly service: string
      readonly replacement: string
    }
  | {
      readonly type: "SRV"
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | { readonly type: "A" | "AAAA"; readonly address: string }

export type SipInput =
  /**
   * One whole message: a datagram, or what the stream framing cut out. Nothing keeps its bytes. An answer may lie in
   * `room`, where there is some: then it has to be sent before another message comes.
   */
  | {
      readonly kind: "received"
      readonly flow: Flow
      readonly bytes: Uint8Array
      readonly room?: Room | undefined
    }
  | { readonly kind: "flow-closed"; readonly flow: Flow }
  /** The `send` of that id could not be carried out (no route, refused, reset, certificate). */
  | {
      readonly kind: "send-failed"
      readonly id: string
      readonly reason: string
      /** The node that it was for, where it went to one by name: its address may have changed. */
      readonly node?: string
    }
  /** A node of the fabric lives no more: what went to it and was not heard of goes another way. */
  | { readonly kind: "node-lost"; readonly node: string }
  /** An empty list: the name has no such records. `failed`: no server answered. */
  | { readonly kind: "resolved"; readonly ticket: Ticket; readonly records: readonly DnsRecord[] | "failed" }
  | StoreAnswer

export type SipEffect =
  /** `id` comes back in `send-failed`; several sends may share one. */
  | { readonly kind: "send"; readonly id: string; readonly hop: Hop; readonly bytes: Uint8Array }
  /** A flow that is to be closed once what was sent over it has gone. */
  | { readonly kind: "close-flow"; readonly flow: Flow }
  | { readonly kind: "resolve"; readonly ticket: Ticket; readonly question: DnsQuestion }
  | StoreRequest
  | LogEffect
  | CountEffect

/** What the SIP server must know of the fabric at once, without asking. */
export interface Surroundings {
  /** Whether that node is a living peer (or this node itself). */
  isAlive(node: string): boolean
  /** The Node-ID of the living peer (or of this node) that begins with these 12 digits: tokens carry no more. */
  nodeWithPrefix(prefix: string): string | undefined
  /** Whether new registrations and calls are taken: false while draining or unhealthy. Reason for the Warning. */
  refusesWork(): string | undefined
  /** The bindings of a user, where nobody else has to be asked for them; undefined where `find-bindings` may take its time. */
  recallBindings(aor: string, now: Instant): FoundBindings | undefined
}

export interface SipSettings {
  /** This node's Node-ID, 32 hexadecimal digits. */
  readonly node: string
  /** The SIP domain: realm and AOR domain. Lower case. */
  readonly domain: string
  /**
   * Other names and addresses that mean the domain: host names and IP literals of every node, lower case.
   * `host:port` where a node takes SIP on ports that are not this node's.
   */
  readonly aliases: () => readonly string[]
  readonly listeners: readonly Listener[]
  /** 32 bytes that all nodes share: nonces and tokens. */
  readonly fabricKey: Uint8Array
  readonly hashes: Hashes
  readonly random: Random
  readonly surroundings: Surroundings
  /** CIDR blocks whose sources are exempt from rate limits and bans. */
  readonly trusted: readonly string[]
  readonly algorithms: readonly ("MD5" | "SHA-256")[]
  readonly registration: { readonly min: Duration; readonly default: Duration; readonly max: Duration }
}

export interface SipStatistics {
  /** INVITE transactions under way, calls answered since start. */
  readonly pendingInvites: number
  readonly pendingTransactions: number
  readonly answeredCalls: number
  /** Registrations whose edge is this node. */
  readonly registrations: number
}

export interface SipServer extends Machine<SipInput, SipEffect> {
  readonly statistics: SipStatistics
}
