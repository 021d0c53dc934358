import type { Address } from "../kit/address.ts"

/** As Via spells it. */
export type Transport = "UDP" | "TCP" | "TLS" | "WS" | "WSS"

export const isReliable = (transport: Transport): boolean => transport !== "UDP"

/** The URI's `transport` parameter for it. */
export const transportParameter = (transport: Transport): string => transport.toLowerCase()

/**
 * Where a message came in, and the way back to its sender. RFC 5626's flow: for UDP the pair of
 * addresses, otherwise one connection.
 */
export interface Flow {
  readonly transport: Transport
  readonly local: Address
  readonly remote: Address
  /** The connection's number on this node, never used twice in a process; undefined for UDP. */
  readonly connection: number | undefined
  /** Node-ID at the other end, where it is a connection of the fabric, authenticated by certificate. */
  readonly node: string | undefined
}

/** Where to send: back over a flow, to an address, or to a node of the fabric (SIP/TLS, found by AppAttach). */
export type Hop =
  | { readonly kind: "flow"; readonly flow: Flow }
  | {
      readonly kind: "address"
      readonly transport: Transport
      readonly address: Address
      /** What the certificate of a TLS server must be for. RFC 5922. */
      readonly serverName: string | undefined
    }
  | { readonly kind: "node"; readonly node: string }

/** An address on which this node takes SIP, as others know it. */
export interface Listener {
  readonly transport: Transport
  readonly advertised: Address
}
