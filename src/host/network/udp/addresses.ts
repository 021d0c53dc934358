import type { Address } from "../../../core/kit/address.ts"
import { formatIp, ipBytes } from "../../../core/kit/ip.ts"
import { plainHost } from "../listen.ts"
import { AF_INET, type BatchMemory } from "./batch-memory.ts"

/** Beyond, all are forgotten: an office behind one NAT is thousands, and strangers can make up more. */
const REMEMBERED = 65_536

/** A power of two. */
const LATE = 4_096

/** Numbers a slot of `BatchMemory.names`. */
const STRIDE = 8

/** An IP address as the kernel's structure has it: one number or four, and the scope. */
interface Numbers {
  readonly words: Uint32Array
  readonly scope: number
}

/** Socket addresses of the kernel from and to texts. The same phones come again and again, so texts are remembered. */
export class AddressBook {
  readonly #family: number
  readonly #interfaceIndex: (name: string) => number
  readonly #interfaceName: (index: number) => string | undefined
  readonly #texts = new Map<number | string, Address>()
  readonly #numbers = new Map<string, Numbers | undefined>()
  /** Senders of late, by a part of their address: where it is found here, no number has to be boxed for the map. IPv4 only. */
  readonly #lateHosts = new Uint32Array(LATE)
  readonly #latePorts = new Uint16Array(LATE)
  readonly #late: (Address | undefined)[] = new Array<Address | undefined>(LATE).fill(undefined)
  #lastHost = ""
  #lastNumbers: Numbers | undefined

  constructor(
    family: number,
    interfaceIndex: (name: string) => number,
    interfaceName: (index: number) => string | undefined,
  ) {
    this.#family = family
    this.#interfaceIndex = interfaceIndex
    this.#interfaceName = interfaceName
  }

  /** Whom the slot's datagram came from. The same object for the same sender, as long as it is remembered. */
  read(memory: BatchMemory, slot: number): Address {
    const { names } = memory
    const at = slot * STRIDE
    const port = names[at]! >>> 16
    if (this.#family === AF_INET) return this.#readLate(memory, slot, names[at + 1]!, port)
    return this.#recall(memory, slot, port)
  }

  #readLate(memory: BatchMemory, slot: number, host: number, port: number): Address {
    const place = (host ^ (host >>> 16) ^ port) & (LATE - 1)
    const late = this.#late[place]
    if (late !== undefined && this.#lateHosts[place] === host && this.#latePorts[place] === port) return late
    const address = this.#recall(memory, slot, port)
    this.#lateHosts[place] = host
    this.#latePorts[place] = port
    this.#late[place] = address
    return address
  }

  #recall(memory: BatchMemory, slot: number, port: number): Address {
    const { names } = memory
    const at = slot * STRIDE
    const key =
      this.#family === AF_INET
        ? names[at + 1]! * 65_536 + port
        : `${names[at + 2]} ${names[at + 3]} ${names[at + 4]} ${names[at + 5]} ${names[at + 6]} ${port}`
    const known = this.#texts.get(key)
    if (known !== undefined) return known
    const address = { host: this.#hostOf(memory, slot), port: swapped(port) }
    if (this.#texts.size >= REMEMBERED) this.#texts.clear()
    this.#texts.set(key, address)
    return address
  }

  /** Addresses the slot's datagram; false where `host` cannot be reached from this socket. */
  write(memory: BatchMemory, slot: number, { host, port }: Address): boolean {
    const numbers = this.#numbersOf(host)
    if (numbers === undefined) return false
    const { names } = memory
    const at = slot * STRIDE
    names[at] = this.#family | (swapped(port) << 16)
    if (this.#family === AF_INET) {
      names[at + 1] = numbers.words[0]!
      return true
    }
    for (let word = 0; word < 4; word++) names[at + 2 + word] = numbers.words[word]!
    names[at + 6] = numbers.scope
    return true
  }

  #hostOf({ nameBytes, names }: BatchMemory, slot: number): string {
    const at = slot * 4 * STRIDE
    if (this.#family === AF_INET) return formatIp(nameBytes.subarray(at + 4, at + 8))
    const bytes = nameBytes.subarray(at + 8, at + 24)
    if (isMapped(bytes)) return formatIp(bytes.subarray(12))
    const scope = names[slot * STRIDE + 6]!
    const zone = scope === 0 ? undefined : (this.#interfaceName(scope) ?? String(scope))
    return plainHost(formatIp(bytes)) + (zone === undefined ? "" : `%${zone}`)
  }

  #numbersOf(host: string): Numbers | undefined {
    if (host === this.#lastHost) return this.#lastNumbers
    this.#lastNumbers = this.#recallNumbers(host)
    this.#lastHost = host
    return this.#lastNumbers
  }

  #recallNumbers(host: string): Numbers | undefined {
    if (this.#numbers.has(host)) return this.#numbers.get(host)
    const numbers = this.#parse(host)
    if (this.#numbers.size >= REMEMBERED) this.#numbers.clear()
    this.#numbers.set(host, numbers)
    return numbers
  }

  #parse(host: string): Numbers | undefined {
    const [literal, zone] = host.split("%", 2)
    const bytes = ipBytes(literal!)
    if (bytes === undefined || (this.#family === AF_INET && bytes.length !== 4)) return undefined
    const scope = zone === undefined ? 0 : /^\d+$/.test(zone) ? Number(zone) : this.#interfaceIndex(zone)
    if (zone !== undefined && scope === 0) return undefined
    const isMappedNow = this.#family !== AF_INET && bytes.length === 4
    const all = isMappedNow ? Uint8Array.of(...MAPPED, ...bytes) : Uint8Array.from(bytes)
    return { words: new Uint32Array(all.buffer), scope }
  }
}

/** IPv4 in IPv6. RFC 4291 §2.5.5.2. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]

const isMapped = (bytes: Uint8Array) => MAPPED.every((byte, index) => bytes[index] === byte)

/** Ports stand in network order in memory that is read as little-endian. */
const swapped = (port: number): number => ((port & 0xff) << 8) | (port >>> 8)
