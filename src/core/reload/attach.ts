import {
  boolean,
  enumeration,
  fixed,
  list,
  opaque,
  select,
  struct,
  text,
  u8,
  u16,
  u32,
  type Value,
} from "../wire/codec.ts"

// RFC 6940 §6.5.1: two peers trade ICE candidates through the overlay, to link up directly.

const AddressType = enumeration(u8, { ipv4: 1, ipv6: 2 })

export const IpAddressPort = select(
  AddressType,
  {
    ipv4: struct({ ip: fixed(4), port: u16 }),
    ipv6: struct({ ip: fixed(16), port: u16 }),
  },
  { length: u8 },
)

const OverlayLinkType = enumeration(u8, {
  "DTLS-UDP-SR": 1,
  "DTLS-UDP-SR-NO-ICE": 3,
  "TLS-TCP-FH-NO-ICE": 4,
})

const CandidateType = enumeration(u8, { host: 1, srflx: 2, relay: 4 })

const IceExtension = struct({ name: opaque(u16), value: opaque(u16) })

export type IceCandidate = Value<typeof IceCandidate>
export const IceCandidate = struct({
  address: IpAddressPort,
  overlayLink: OverlayLinkType,
  foundation: text(u8),
  priority: u32,
  origin: select(CandidateType, {
    host: struct({}),
    srflx: struct({ relatedAddress: IpAddressPort }),
    relay: struct({ relatedAddress: IpAddressPort }),
  }),
  extensions: list(u16, IceExtension),
})

/** The body of AttachReq and of AttachAns: an ICE offer, and its answer. */
export type AttachReqAns = Value<typeof AttachReqAns>
export const AttachReqAns = struct({
  ufrag: text(u8),
  password: text(u8),
  role: text(u8),
  candidates: list(u16, IceCandidate),
  sendUpdate: boolean,
})
