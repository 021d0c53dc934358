import { NodeId } from "../identity/node-id.ts"
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
  u24,
  u32,
  u64,
  type Value,
} from "../wire/codec.ts"
import { IceCandidate } from "./attach.ts"
import { Destination, ResourceId } from "./header.ts"
import { KindId } from "./stored-data.ts"

// RFC 6940 §6.4 and §6.5: methods by which peers find, join and leave one another.

export type PingReq = Value<typeof PingReq>
export const PingReq = struct({ padding: opaque(u16) })

/** `time` in Unix milliseconds. §6.5.3. */
export type PingAns = Value<typeof PingAns>
export const PingAns = struct({ responseId: fixed(8), time: u64 })

/** §6.5.2. `application` is a port number: 5060 SIP, 5061 SIPS. */
export type AppAttach = Value<typeof AppAttach>
export const AppAttach = struct({
  ufrag: text(u8),
  password: text(u8),
  application: u16,
  role: text(u8),
  candidates: list(u16, IceCandidate),
})

export type JoinReq = Value<typeof JoinReq>
export const JoinReq = struct({ joiningPeer: NodeId, overlaySpecific: opaque(u16) })
export type JoinAns = Value<typeof JoinAns>
export const JoinAns = struct({ overlaySpecific: opaque(u16) })

export type LeaveReq = Value<typeof LeaveReq>
export const LeaveReq = struct({ leavingPeer: NodeId, overlaySpecific: opaque(u16) })

/** `overlaySpecific` of a CHORD-RELOAD Leave. §10.9. */
export type ChordLeaveData = Value<typeof ChordLeaveData>
export const ChordLeaveData = select(enumeration(u8, { "from-successor": 1, "from-predecessor": 2 }), {
  "from-successor": struct({ successors: list(u16, NodeId) }),
  "from-predecessor": struct({ predecessors: list(u16, NodeId) }),
})

const Neighbors = { predecessors: list(u16, NodeId), successors: list(u16, NodeId) }

/** §10.7.1. `uptime` in seconds. */
export type ChordUpdate = Value<typeof ChordUpdate>
export const ChordUpdate = struct({
  uptime: u32,
  content: select(enumeration(u8, { "peer-ready": 1, neighbors: 2, full: 3 }), {
    "peer-ready": struct({}),
    neighbors: struct(Neighbors),
    full: struct({ ...Neighbors, fingers: list(u16, NodeId) }),
  }),
})

/** Without fields: the answers to Leave, Update and ConfigUpdate. */
export type EmptyBody = Value<typeof EmptyBody>
export const EmptyBody = struct({})

/** Types of status information, by their numbers, so that unknown ones pass. §6.4.2.5. */
export const ProbeInformationType = { responsibleSet: 1, numResources: 2, uptime: 3 } as const

export type ProbeReq = Value<typeof ProbeReq>
export const ProbeReq = struct({ requested: list(u8, u8) })

/** `value` of the three known types: 32 bits, in parts per billion, resources, seconds. */
export type ProbeAns = Value<typeof ProbeAns>
export const ProbeAns = struct({ information: list(u16, struct({ type: u8, value: opaque(u8) })) })

/** §7.4.4. */
export type FindReq = Value<typeof FindReq>
export const FindReq = struct({ resource: ResourceId, kinds: list(u8, KindId) })
export type FindAns = Value<typeof FindAns>
export const FindAns = struct({ results: list(u16, struct({ kind: KindId, closest: ResourceId })) })

/** §6.4.2.4. */
export type RouteQueryReq = Value<typeof RouteQueryReq>
export const RouteQueryReq = struct({
  sendUpdate: boolean,
  destination: Destination,
  overlaySpecific: opaque(u16),
})

/** ChordRouteQueryAns: the peer that the request would go to next. §10.8. */
export type RouteQueryAns = Value<typeof RouteQueryAns>
export const RouteQueryAns = struct({ nextPeer: NodeId })

/** A configuration document, or kind-blocks, as XML in UTF-8. §6.5.4. */
export type ConfigUpdateReq = Value<typeof ConfigUpdateReq>
export const ConfigUpdateReq = struct({
  update: select(
    enumeration(u8, { configuration: 1, kinds: 2 }),
    {
      configuration: struct({ document: opaque(u24) }),
      kinds: struct({ descriptions: list(u24, opaque(u16)) }),
    },
    { length: u32 },
  ),
})

/** `code` is one of ErrorCode, or a number unknown to us. §6.3.3.1. */
export type ErrorBody = Value<typeof ErrorBody>
export const ErrorBody = struct({ code: u16, info: opaque(u16) })
