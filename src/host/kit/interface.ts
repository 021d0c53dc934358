import type { Identity } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import type { Address } from "../../core/kit/address.ts"
import type { CountEffect, LogEffect } from "../../core/kit/log.ts"
import type { CarillonNode, Health, NodeAnswer, NodeCommand } from "../../core/node/interface.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import type { StoreError, StoreLoss } from "./store-loss.ts"

/** How datagrams come and go, and why that way. */
export interface DatagramWay {
  readonly kind: "batched" | "plain"
  /** Half a sentence for an operator. */
  readonly reason: string
}

/** `auto`: batched where the system and what is installed allow it. */
export type WantedWay = "auto" | "plain"

/** PEM, as Node's TLS takes it. `certificate` is the chain, leaf first. */
export interface TlsMaterial {
  readonly certificate: string
  readonly key: string
}

export interface HostSettings {
  /** Directory of the record store. */
  readonly data: string
  /** It has run before: that it has no records is no matter of course. */
  readonly isReturning?: boolean
  /** It may go on without the records that it has lost. */
  readonly acceptLoss?: boolean
  /** It has lost its records, and there is nobody to give it copies: it is to stop. */
  readonly abandoned?: (cause: StoreError) => void
  /** Address to bind: an IP literal; "0.0.0.0" or "::" for all. */
  readonly host: string
  /** 0 takes any free port (tests); see `NodeHost.ports`. */
  readonly ports: { readonly sip: number; readonly sips: number; readonly reload: number }
  /** Fabric: our node certificate with the root behind it, presented on links, node-to-node SIP and enrolment. */
  readonly fabricTls: TlsMaterial
  /** Nodes whose certificates are revoked, by the configuration document. RFC 6940 §11.1. */
  readonly badNodes?: () => readonly NodeId[]
  /** What phones see on the SIPS port. */
  readonly phoneTls: TlsMaterial
  /** The bootstrap addresses to join through; none for the first node or a farm that starts again by itself. */
  readonly bootstrap: readonly Address[]
  /** How SIP over UDP is moved; default `auto`. */
  readonly udp?: WantedWay
  /** Serves enrolment over HTTPS on the RELOAD port (ALPN `http/1.1`); undefined where this node cannot enrol. */
  readonly enrolment: ((request: EnrolmentHttpRequest) => Promise<EnrolmentHttpResponse>) | undefined
  /** File to append TLS secrets to (NSS key log), for Wireshark; undefined: none. */
  readonly keyLog: string | undefined
  /** Name servers to ask, `192.0.2.1:53`; those of the system where it is not given. */
  readonly nameServers?: readonly string[]
  /** PEM roots that SIP servers of other domains are verified with, besides those of the system. */
  readonly trustedRoots?: readonly string[]
  /** Told of a fault of our own, after it has been logged; stops the process where it is not given. */
  readonly fatal?: (fault: unknown) => void
  readonly log: (event: LogEffect) => void
  readonly count: (count: CountEffect) => void
  readonly health: (health: Health) => void
  /** A newer configuration document has taken effect: it is to be kept. */
  readonly configured?: (document: string, configuration: Configuration) => void
}

export interface EnrolmentHttpRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** DER of the client's certificate where it showed one; it is not judged yet. */
  readonly clientCertificate: Uint8Array | undefined
  readonly remote: Address
}

export interface EnrolmentHttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Drives one node on real sockets, disk and clock. */
export interface NodeHost {
  /**
   * Opens the store, binds every port and begins. Throws `PortTakenError` or `ListenError`
   * (`listen.ts`), or `StoreError` (`store-loss.ts`), each with a sentence on what to do; then nothing is
   * bound and the store is closed.
   */
  start(): Promise<void>
  command(command: NodeCommand): Promise<NodeAnswer>
  /** Our certificate was renewed: links stay up, and new connections are made under it. */
  renewIdentity(identity: Identity, material: TlsMaterial): void
  /** What phones see on the SIPS port from now on. */
  renewPhoneTls(material: TlsMaterial): void
  /** A newer signed configuration document: it takes effect, here and on all nodes. */
  reconfigure(document: string): void
  readonly node: CarillonNode
  readonly ports: { readonly sip: number; readonly sips: number; readonly reload: number }
  /** Gauges for /metrics: open flows, links, connections by transport. */
  readonly gauges: Readonly<Record<string, number>>
  /** How SIP over UDP is moved, and what the kernel threw away as it came too fast; undefined before `start`. */
  readonly udp: { readonly way: DatagramWay; readonly dropped: number | undefined } | undefined
  /** What has become of a record store that was damaged; undefined where none was. */
  readonly loss: StoreLoss | undefined
  /** How far the system's clock is ahead of the one the node goes by, in milliseconds; undefined where it has not been set. */
  readonly clockStep: number | undefined
  /** Closes sockets and store; what was acknowledged is on disk. Does not drain. */
  stop(): Promise<void>
}
