import { concat, toUtf8 } from "../../src/core/kit/bytes.ts"
import { encode, struct, u16, u32 } from "../../src/core/wire/codec.ts"

// A capture file without network: each record names the dissector that is to read it. Link type 252,
// WIRESHARK_UPPER_PDU: tags of {type, length, value}, then the bytes.

const LINK_TYPE = 252
const DISSECTOR_NAME = 12

const FileHeader = struct({
  magic: u32,
  major: u16,
  minor: u16,
  zone: u32,
  figures: u32,
  snap: u32,
  link: u32,
})
const RecordHeader = struct({ seconds: u32, microseconds: u32, captured: u32, length: u32 })

/** Packets for the dissector of that name, such as `reload` for messages without framing. */
export function pcapFor(dissector: string, packets: readonly Uint8Array[]): Uint8Array {
  const header = {
    magic: 0xa1b2c3d4,
    major: 2,
    minor: 4,
    zone: 0,
    figures: 0,
    snap: 0x4_0000,
    link: LINK_TYPE,
  }
  const name = toUtf8(dissector)
  const padded = concat(name, new Uint8Array(-name.length & 3))
  const tags = concat(
    encode(struct({ tag: u16, length: u16 }), { tag: DISSECTOR_NAME, length: padded.length }),
    padded,
    new Uint8Array(4),
  )
  const records = packets.map((packet, index) => {
    const length = tags.length + packet.length
    const stamp = encode(RecordHeader, { seconds: index, microseconds: 0, captured: length, length })
    return concat(stamp, tags, packet)
  })
  return concat(encode(FileHeader, header), ...records)
}
