import { isIPv6 } from "node:net"
import { networkInterfaces, constants as system } from "node:os"
import type { Address } from "../../../core/kit/address.ts"
import { InvariantError } from "../../../core/kit/errors.ts"
import type { DatagramWay } from "../../kit/interface.ts"
import { HOST_LIMITS } from "../../kit/limits.ts"
import { socketFailure } from "../listen.ts"
import { AddressBook } from "./addresses.ts"
import { AF_INET, AF_INET6, BatchMemory } from "./batch-memory.ts"
import { openBatchSocket } from "./batch-socket.ts"
import { Lingering } from "./lingering.ts"
import { isPort, noPort, TOO_SLOW, unreachable } from "./plain.ts"
import { type SocketCalls, systemError, type Watch } from "./socket-calls.ts"
import {
  answerKeepAlive,
  type DatagramSettings,
  type DatagramTransport,
  isKeepAlive,
  mayBeKeepAlive,
} from "./transport.ts"

/** A larger one gains nothing more in measurements, and the first answer of a batch waits for the last. */
const RECEIVE_SLOTS = 32
/** For one turn of the event loop, so that other sockets and timers have theirs: a millisecond. */
const DATAGRAMS_A_TURN = 128
/**
 * The answers to so few go out in two parts: while the other side works on the first, which may bring the next requests, we
 * work on the second. Else both sides sleep by turns, and a wake-up is dearer than a few messages.
 */
const FEW = 8
const LEAST_SHARE = 2
/** The largest UDP datagram, and an odd number of cache lines, so that first lines do not crowd one cache set. */
const SLOT_BYTES = 65_536 + 64
const SEND_SLOTS = 128
const SEND_BYTES = 262_144

/** SK_MEMINFO_DROPS of SO_MEMINFO. */
const SOL_SOCKET = 1
const SO_MEMINFO = 55
const MEMINFO_DROPS = 8

const { EAGAIN, EINTR, ENOBUFS, ENOMEM } = system.errno

type Failed = (reason: string) => void

/** A datagram that the kernel had no room for. */
interface Waiting {
  readonly bytes: Uint8Array
  readonly to: Address
  readonly failed: Failed
}

/** Opens the transport that moves many datagrams with one call. Throws `PortTakenError` or `ListenError`. */
export function openBatchedDatagrams(settings: DatagramSettings, calls: SocketCalls): DatagramTransport {
  const family = isIPv6(settings.bind.host) ? AF_INET6 : AF_INET
  const { fd, port } = openBatchSocket(calls, family, settings)
  return new BatchedDatagrams(calls, family, fd, { host: settings.bind.host, port }, settings)
}

/**
 * Receives when the event loop says so, up to `RECEIVE_SLOTS` datagrams for a call, until nothing comes for a while that is
 * shorter than a sleep is dear. Sends what was sent meanwhile, `SEND_SLOTS` for a call, when the batch has been worked
 * off, or half of a small one, or the current callback is done.
 */
export class BatchedDatagrams implements DatagramTransport {
  readonly local: Address
  readonly way: DatagramWay = { kind: "batched", reason: "recvmmsg and sendmmsg through koffi" }
  readonly #calls: SocketCalls
  readonly #family: number
  readonly #fd: number
  readonly #received: DatagramSettings["received"]
  readonly #takesMore: () => boolean
  readonly #milliseconds: () => number
  readonly #book: AddressBook
  readonly #in: BatchMemory
  readonly #out: BatchMemory
  readonly #watch: Watch
  readonly #lingering = new Lingering()
  /** Of the outgoing slots: whom to tell, and of which address. */
  readonly #senders: Failed[] = []
  readonly #targets: Address[] = []
  /** So many of the slots are filled. */
  #filled = 0
  /** What is free of the outgoing memory. */
  readonly #room: { readonly memory: Uint8Array; at: number }
  #isFlushPlanned = false
  #isTurnPlanned = false
  #isReceiving = false
  #isClosed = false
  #waiting: Waiting[] = []
  #waitingBytes = 0

  constructor(
    calls: SocketCalls,
    family: number,
    fd: number,
    local: Address,
    { received, takesMore = () => true }: Pick<DatagramSettings, "received" | "takesMore">,
    milliseconds: () => number = () => performance.now(),
  ) {
    this.local = local
    this.#calls = calls
    this.#family = family
    this.#fd = fd
    this.#received = received
    this.#takesMore = takesMore
    this.#milliseconds = milliseconds
    this.#book = new AddressBook(family, calls.interfaceIndex, interfaceName)
    this.#in = new BatchMemory(calls, family, RECEIVE_SLOTS, RECEIVE_SLOTS * SLOT_BYTES)
    this.#out = new BatchMemory(calls, family, SEND_SLOTS, SEND_BYTES)
    this.#room = { memory: this.#out.data, at: 0 }
    for (let slot = 0; slot < RECEIVE_SLOTS; slot++) this.#in.place(slot, slot * SLOT_BYTES, SLOT_BYTES)
    this.#watch = calls.watch(fd, ({ writable }) => this.#wake(writable))
  }

  get dropped(): number | undefined {
    return this.#calls.option(this.#fd, SOL_SOCKET, SO_MEMINFO, MEMINFO_DROPS + 1)?.[MEMINFO_DROPS]
  }

  send(bytes: Uint8Array, to: Address, failed: Failed): void {
    if (this.#isClosed) return
    if (this.#waiting.length > 0) return this.#queue({ bytes: bytes.slice(), to, failed })
    if (!isPort(to.port)) return tell(failed, noPort(to))
    if (bytes.length > SEND_BYTES)
      return tell(failed, socketFailure(systemError(-system.errno.EMSGSIZE, "send"), to))
    if (this.#filled === SEND_SLOTS || this.#room.at + bytes.length > SEND_BYTES) this.#flush()
    if (this.#waiting.length > 0) return this.#queue({ bytes: bytes.slice(), to, failed })
    const slot = this.#filled
    if (!this.#book.write(this.#out, slot, to)) return tell(failed, unreachable(to, this.local))
    const room = this.#room
    const isThere = bytes.buffer === this.#out.buffer && bytes.byteOffset === room.at
    if (!isThere) room.memory.set(bytes, room.at)
    this.#out.place(slot, room.at, bytes.length)
    room.at += bytes.length
    this.#senders[slot] = failed
    this.#targets[slot] = to
    this.#filled++
    if (this.#isReceiving || this.#isFlushPlanned) return
    this.#isFlushPlanned = true
    queueMicrotask(this.#flushLater)
  }

  close(): Promise<void> {
    this.#flush()
    this.#isClosed = true
    this.#watch.close()
    this.#calls.close(this.#fd)
    return Promise.resolve()
  }

  /** From the depths of the event loop, where no JavaScript may fail or be run on: the turn is taken just after. */
  #wake(writable: boolean): void {
    if (writable) this.#watch.alsoForWriting(false)
    if (this.#isTurnPlanned) return
    this.#isTurnPlanned = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#isTurnPlanned = false
    this.#sendWaiting()
    for (let taken = 0; taken < DATAGRAMS_A_TURN && !this.#isClosed; ) {
      const count = this.#calls.receive(this.#fd, this.#in.vector, RECEIVE_SLOTS)
      if (count < 0) {
        this.#judgeReceiving(count)
        if (taken > 0 && this.#lingering.mayLookAgain(this.#milliseconds())) continue
        return
      }
      this.#lingering.found()
      this.#work(count)
      taken += count
      if (!this.#takesMore()) return
    }
  }

  #judgeReceiving(negative: number): void {
    if (isTransient(-negative)) return
    throw new InvariantError(`receiving datagrams: ${systemError(negative, "recvmmsg").message}`)
  }

  #work(count: number): void {
    const share = count > FEW ? SEND_SLOTS : Math.max(LEAST_SHARE, count >> 1)
    this.#isReceiving = true
    try {
      for (let slot = 0; slot < count && !this.#isClosed; slot++) {
        this.#take(slot)
        if (this.#filled >= share) this.#flush()
      }
    } finally {
      this.#isReceiving = false
    }
    this.#flush()
  }

  #take(slot: number): void {
    const start = slot * SLOT_BYTES
    const bytes = this.#in.window(start, this.#in.lengthOf(slot))
    this.#in.reset(slot, this.#family)
    const from = this.#book.read(this.#in, slot)
    if (!mayBeKeepAlive(bytes[0]) || !isKeepAlive(bytes)) return this.#received(bytes, from, this.#room)
    const answer = answerKeepAlive(bytes, from)
    if (answer !== undefined) this.send(answer, from, () => undefined)
  }

  readonly #flushLater = (): void => {
    this.#isFlushPlanned = false
    this.#flush()
  }

  /** Hands over all slots; what the kernel has no room for waits. */
  #flush(): void {
    const count = this.#filled
    if (count === 0 || this.#isClosed) return
    let slot = 0
    while (slot < count) {
      const sent = this.#calls.send(this.#fd, this.#out.vectorFrom(slot), count - slot)
      if (sent > 0) slot += sent
      else if (-sent === EINTR) continue
      else if (isTransient(-sent)) break
      else {
        const [failed, to] = [this.#senders[slot]!, this.#targets[slot]!]
        tell(failed, socketFailure(systemError(sent, "sendmmsg"), to))
        slot++
      }
    }
    for (; slot < count; slot++) {
      const bytes = this.#out.dataOf(slot).slice()
      this.#queue({ bytes, to: this.#targets[slot]!, failed: this.#senders[slot]! })
    }
    this.#filled = 0
    this.#room.at = 0
  }

  #queue(datagram: Waiting): void {
    if (this.#waitingBytes + datagram.bytes.length > HOST_LIMITS.datagrams.unsentBytes)
      return tell(datagram.failed, TOO_SLOW)
    if (this.#waiting.length === 0) this.#watch.alsoForWriting(true)
    this.#waiting.push(datagram)
    this.#waitingBytes += datagram.bytes.length
  }

  /** All once more, in their order; where the kernel has no room for all, the rest waits again. */
  #sendWaiting(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { bytes, to, failed } of waiting) this.send(bytes, to, failed)
    this.#flush()
  }
}

/** What a later try may not meet with. */
const isTransient = (errno: number): boolean =>
  errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ENOMEM

const tell = (failed: Failed, reason: string): void => queueMicrotask(() => failed(reason))

/** As Node names the zone of a link-local address. */
const interfaceName = (index: number): string | undefined =>
  Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(({ scopeid }) => scopeid === index),
  )?.[0]
