import type { Address } from "../kit/address.ts"
import { ipBytes } from "../kit/ip.ts"

// STUN Binding as the keep-alive of a SIP flow over UDP: RFC 5626 §3.5.2 and §8, RFC 8489.

const HEADER_BYTES = 20
const MAGIC = [0x21, 0x12, 0xa4, 0x42]
const BINDING_REQUEST = 0x0001
const BINDING_SUCCESS = 0x0101
const BINDING_ERROR = 0x0111

const ERROR_CODE = 0x0009
const UNKNOWN_ATTRIBUTES = 0x000a
const XOR_MAPPED_ADDRESS = 0x0020
const FINGERPRINT = 0x8028
const FINGERPRINT_MASK = 0x5354554e

/** USERNAME, MESSAGE-INTEGRITY, REALM, NONCE and their newer kin: known, and of no use here (RFC 5626 §8). */
const IGNORED = [0x0006, 0x0008, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e]

interface Attribute {
  readonly type: number
  /** Of the attribute's header, from the start of the message. */
  readonly offset: number
  readonly value: Uint8Array
}

/** Whether a datagram on a SIP port is STUN. No SIP message begins with two zero bits. RFC 8489 §5. */
export const isStun = (bytes: Uint8Array): boolean =>
  bytes.length >= HEADER_BYTES &&
  bytes[0]! < 64 &&
  MAGIC.every((byte, index) => bytes[4 + index] === byte) &&
  unsigned16(bytes, 2) === bytes.length - HEADER_BYTES &&
  bytes.length % 4 === 0

/**
 * The answer to a Binding request that came from `remote`: that address, or error 420 where the request wants
 * what we do not know. FINGERPRINT is answered by FINGERPRINT. Undefined: stay silent.
 */
export function answerStunBinding(bytes: Uint8Array, remote: Address): Uint8Array | undefined {
  if (!isStun(bytes) || unsigned16(bytes, 0) !== BINDING_REQUEST) return undefined
  const attributes = readAttributes(bytes)
  const address = ipBytes(remote.host)
  if (attributes === undefined || address === undefined) return undefined
  const fingerprint = attributes.find(({ type }) => type === FINGERPRINT)
  if (fingerprint !== undefined && !isGenuine(bytes, fingerprint)) return undefined
  const transaction = bytes.subarray(4, HEADER_BYTES)
  const unknown = attributes
    .map(({ type }) => type)
    .filter((type) => type < 0x8000 && !IGNORED.includes(type))
  const answer =
    unknown.length > 0
      ? [...attribute(ERROR_CODE, [0, 0, 4, 20]), ...attribute(UNKNOWN_ATTRIBUTES, unknown.flatMap(split16))]
      : attribute(XOR_MAPPED_ADDRESS, xorMapped(address, remote.port, transaction))
  const type = unknown.length > 0 ? BINDING_ERROR : BINDING_SUCCESS
  return message(type, transaction, answer, fingerprint !== undefined)
}

/** Undefined where an attribute reaches beyond the message. */
function readAttributes(bytes: Uint8Array): readonly Attribute[] | undefined {
  const attributes: Attribute[] = []
  for (let offset = HEADER_BYTES; offset < bytes.length; ) {
    const length = unsigned16(bytes, offset + 2)
    if (offset + 4 + length > bytes.length) return undefined
    const value = bytes.subarray(offset + 4, offset + 4 + length)
    attributes.push({ type: unsigned16(bytes, offset), offset, value })
    offset += 4 + padded(length)
  }
  return attributes
}

/** The address and port, each bit of which the magic cookie and the transaction ID hide. RFC 8489 §14.2. */
function xorMapped(address: Uint8Array, port: number, transaction: Uint8Array): readonly number[] {
  const hidden = [...split16(port), ...address]
  // The port is hidden by the first half of the cookie, the address by the cookie from its start.
  const mask = [...transaction.subarray(0, 2), ...transaction]
  return [0, address.length === 4 ? 1 : 2, ...hidden.map((byte, index) => byte ^ mask[index]!)]
}

function attribute(type: number, value: readonly number[]): readonly number[] {
  const padding = new Array<number>(padded(value.length) - value.length).fill(0)
  return [...split16(type), ...split16(value.length), ...value, ...padding]
}

function message(
  type: number,
  transaction: Uint8Array,
  attributes: readonly number[],
  withFingerprint: boolean,
): Uint8Array {
  const length = attributes.length + (withFingerprint ? 8 : 0)
  const start = Uint8Array.from([...split16(type), ...split16(length), ...transaction, ...attributes])
  if (!withFingerprint) return start
  const sum = fingerprintOf(start)
  return Uint8Array.from([
    ...start,
    ...attribute(FINGERPRINT, [...split16(sum >>> 16), ...split16(sum & 0xffff)]),
  ])
}

/** RFC 8489 §14.7: the last attribute, and the sum of all before it. */
const isGenuine = (bytes: Uint8Array, { offset, value }: Attribute): boolean =>
  offset + 8 === bytes.length &&
  value.length === 4 &&
  unsigned16(value, 0) * 65_536 + unsigned16(value, 2) === fingerprintOf(bytes.subarray(0, offset))

const fingerprintOf = (bytes: Uint8Array): number => (crc32(bytes) ^ FINGERPRINT_MASK) >>> 0

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let sum = index
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1
  return sum
})

/** CRC-32 of ITU V.42. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) sum = (sum >>> 8) ^ CRC_TABLE[(sum ^ byte) & 255]!
  return ~sum >>> 0
}

const padded = (length: number): number => (length + 3) & ~3

const unsigned16 = (bytes: Uint8Array, offset: number): number => bytes[offset]! * 256 + bytes[offset + 1]!

const split16 = (value: number): readonly number[] => [value >> 8, value & 255]
