import { NodeId } from "../identity/node-id.ts"
import {
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
  u64,
  type Value,
} from "../wire/codec.ts"
import { IceCandidate } from "./attach.ts"

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

export type ErrorBody = Value<typeof ErrorBody>
export const ErrorBody = struct({ code: u16, info: opaque(u16) })
