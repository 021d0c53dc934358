// IP literals as numbers: for address comparison, CIDR blocks and compact tokens.

/** 4 or 16 bytes of an IP literal, with or without brackets; undefined where it is none (or has a zone). */
export function ipBytes(text: string): Uint8Array | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text
  return bare.includes(":") ? parseIp6(bare) : parseIp4(bare)
}

/** The same address however it is written; an IPv4-mapped IPv6 address is the IPv4 one. */
export function sameHost(a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [ipBytes(a), ipBytes(b)]
  if (left === undefined || right === undefined) return a.toLowerCase() === b.toLowerCase()
  return plain(left).toString() === plain(right).toString()
}

/** Dotted or colon form (RFC 5952) of 4 or 16 bytes. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".")
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16))
  const [start, length] = longestZeros(groups)
  if (length < 2) return groups.join(":")
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address. */
export interface Cidr {
  readonly network: Uint8Array
  readonly bits: number
}

/** Undefined where the text is no block. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, length, ...more] = text.split("/")
  const network = ipBytes(address!)
  if (network === undefined || more.length > 0) return undefined
  if (length === undefined) return { network, bits: 8 * network.length }
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  return bits <= 8 * network.length ? { network, bits } : undefined
}

export function isWithin(host: string, { network, bits }: Cidr): boolean {
  const parsed = ipBytes(host)
  if (parsed === undefined) return false
  const address = network.length === 4 ? plain(parsed) : parsed
  if (address.length !== network.length) return false
  for (let bit = 0; bit < bits; bit++) {
    const mask = 128 >> (bit & 7)
    if ((address[bit >> 3]! & mask) !== (network[bit >> 3]! & mask)) return false
  }
  return true
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]

const plain = (bytes: Uint8Array): Uint8Array =>
  bytes.length === 16 && MAPPED.every((byte, i) => bytes[i] === byte) ? bytes.subarray(12) : bytes

function parseIp4(text: string): Uint8Array | undefined {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined
  return Uint8Array.from(parts, Number)
}

function parseIp6(text: string): Uint8Array | undefined {
  const lastColon = text.lastIndexOf(":")
  const tail = text.slice(lastColon + 1)
  if (tail.includes(".")) {
    const low = parseIp4(tail)
    if (low === undefined) return undefined
    const hex = [0, 2].map((i) => ((low[i]! << 8) | low[i + 1]!).toString(16)).join(":")
    return parseIp6(text.slice(0, lastColon + 1) + hex)
  }
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const [head, rest] = halves.map((half) => (half === "" ? [] : half.split(":")))
  const missing = 8 - head!.length - (rest?.length ?? 0)
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...head!, ...Array.from({ length: missing }, () => "0"), ...(rest ?? [])]
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return Uint8Array.from(groups.flatMap((group) => splitGroup(Number.parseInt(group, 16))))
}

const splitGroup = (group: number) => [group >> 8, group & 255]

function longestZeros(groups: readonly string[]): readonly [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === "0") end++
    if (end - start > best[1]) best = [start, end - start]
  }
  return best
}
