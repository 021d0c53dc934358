import type { Certificate } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { equalBytes } from "../kit/bytes.ts"
import { LIMITS } from "../kit/limits.ts"
import { count } from "../kit/log.ts"
import { NOTHING } from "../kit/machine.ts"
import { FRAME_HEADER } from "../link/framing.ts"
import { ErrorCode, type ErrorName, MessageCode } from "../reload/codes.ts"
import { isWhole, Reassembly } from "../reload/fragments.ts"
import {
  ANY_CONFIGURATION,
  type Destination,
  type ForwardingHeader,
  HEADER_LENGTH,
  isOlder,
  OptionFlag,
  type ResourceId,
  type TransactionId,
} from "../reload/header.ts"
import {
  isRequest,
  type MessageBody,
  type ReadPayload,
  readHeader,
  readPayload,
  writeMessage,
} from "../reload/message.ts"
import { readBucket, verifyMessage, writeSignedMessage } from "../reload/signing.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { Fabric } from "./fabric.ts"
import type { Link, LinkPool } from "./link-pool.ts"

/** A message for us, whose signature holds and whose signer is trusted. */
export interface Received {
  readonly header: ForwardingHeader
  readonly body: MessageBody
  readonly signer: Certificate
  /** The signer's Node-ID. */
  readonly node: NodeId
  /** Which link it came over: the signer's own, or that of a peer on the way. */
  readonly link: Link
  /** By fingerprint: the signer's, and those that came along. */
  certificates(): ReadonlyMap<string, Certificate>
}

/** What an answer needs of its request. */
export type WayBack = Pick<Received, "header" | "link">

/** What we say. `certificates`: DER of others' that its values need; ours goes along anyway. */
export interface Message {
  readonly body: MessageBody
  readonly certificates?: readonly Uint8Array[] | undefined
}

export interface MessengerEvents {
  request(received: Received): void
  answer(received: Received): void
  /** That node's request shows an older configuration than ours. */
  behind(node: NodeId): void
}

/** No Node-ID: it stands for whoever receives it. RFC 6940 §3. */
const WILDCARD = "f".repeat(32)

const NO_INFO = new Uint8Array()

const METHODS = new Map(Object.entries(MessageCode).map(([name, code]) => [code as number, name]))

/**
 * Takes messages from links, and either hands them up or on to the next peer. RFC 6940 §6.1, §6.2.
 *
 * Every message is signed, and requests are always verified. An answer that its signer sent over its own
 * link is known by that link: TLS has proved who sent it, and whose it is stands in the signer's identity.
 * So are copies of records, whose values are signed one by one. It saves a third of all verifications.
 */
export class Messenger {
  readonly #fabric: Fabric
  readonly #links: LinkPool
  readonly #events: MessengerEvents
  readonly #certificates = new Map<string, Certificate>()
  readonly #reassembly = new Reassembly()
  /** Whose foreign overlay we have complained about. */
  readonly #strangers = new Set<NodeId>()

  constructor(fabric: Fabric, links: LinkPool, events: MessengerEvents) {
    this.#fabric = fabric
    this.#links = links
    this.#events = events
  }

  /** A header of ours. */
  header(
    transaction: TransactionId,
    destination: readonly Destination[],
    method?: MessageBody["kind"],
  ): ForwardingHeader {
    const { sequence, initialTtl } = this.#fabric.configuration
    return {
      overlay: this.#fabric.overlayHash,
      configurationSequence: method === "config-update-req" ? ANY_CONFIGURATION : sequence,
      ttl: initialTtl,
      fragment: { last: true, offset: 0 },
      transaction,
      maxResponseLength: 0,
      via: [],
      destination,
      options: [],
    }
  }

  /** Signs a message of ours and sends it. Its payload, for when it is sent again; undefined where it is larger than may be. */
  send(
    link: Link,
    header: ForwardingHeader,
    { body, certificates = NOTHING }: Message,
    limit = Number.POSITIVE_INFINITY,
  ): Uint8Array | undefined {
    const message = { contents: { body, extensions: NOTHING }, certificates }
    const { bytes, payload } = writeSignedMessage(this.#fabric.identity, header, message, FRAME_HEADER)
    const isFit = payload.length + HEADER_LENGTH <= limit && this.#pass(link, bytes, payload)
    return isFit ? payload : undefined
  }

  /** The same with a payload that was signed before. False where the message is larger than the overlay allows. */
  sendAgain(link: Link, header: ForwardingHeader, payload: Uint8Array): boolean {
    return this.#pass(link, writeMessage(header, payload, FRAME_HEADER), payload)
  }

  /** Answers a request: over the peers that it came through. §6.2.2. False where the answer is larger than may be. */
  answer({ header, link }: WayBack, message: Message): boolean {
    const destination = [...header.via, { kind: "node", node: link.node } as const].reverse()
    const first = destination[0]!
    const hop = (first.kind === "node" ? this.#links.to(first.node) : undefined) ?? link
    const limit = header.maxResponseLength === 0 ? undefined : header.maxResponseLength
    return this.send(hop, this.header(header.transaction, destination), message, limit) !== undefined
  }

  refuse(request: WayBack, error: ErrorName, info: Uint8Array = NO_INFO): void {
    this.answer(request, { body: { kind: "error", code: ErrorCode[error], info } })
  }

  /** `bytes`: the message, which ends with the payload, behind the room for its frame. */
  #pass(link: Link, bytes: Uint8Array, payload: Uint8Array): boolean {
    if (bytes.length - FRAME_HEADER > this.#fabric.configuration.maxMessageSize) return false
    this.#count(payload, "sent")
    this.#links.send(link, bytes)
    return true
  }

  receive(link: Link, bytes: Uint8Array): void {
    try {
      const { header, payload } = readHeader(bytes)
      this.#count(payload, "received")
      this.#route(link, header, payload)
    } catch (problem) {
      if (!(problem instanceof DecodeError)) throw problem
      this.#fabric.refuse("malformed")
      this.#fabric.log("warn", "overlay.malformed", {
        node: link.node,
        reason: `a message of ${bytes.length} bytes is malformed, ${problem.message}: run versions on both nodes that go together`,
      })
    }
  }

  /** Answers what was too large to be read. `head`: its forwarding header, which gives a length that is not its own. */
  tooLarge(link: Link, head: Uint8Array): void {
    const alone = head.slice()
    new DataView(alone.buffer).setUint32(16, alone.length)
    try {
      this.refuse({ header: readHeader(alone).header, link }, "Error_Message_Too_Large")
    } catch (problem) {
      if (!(problem instanceof DecodeError)) throw problem
    }
  }

  #route(link: Link, header: ForwardingHeader, payload: Uint8Array): void {
    if (header.overlay !== this.#fabric.overlayHash) return this.#foreign(link, header.overlay)
    if (header.ttl > this.#fabric.configuration.initialTtl) {
      this.#fabric.refuse("ttl")
      return this.#refuseForwarding({ header, link }, payload, "Error_TTL_Exceeded")
    }
    const { destination } = header
    for (const [index, first] of destination.entries()) {
      const isLast = index === destination.length - 1
      const isOurs = this.#isForUs(first)
      // A Resource-ID is the last there is. §6.1.1.
      if (isOurs && first.kind === "resource" && !isLast) return this.#fabric.refuse("destination")
      if (isOurs && !isLast) continue
      const rest = index === 0 ? header : { ...header, destination: destination.slice(index) }
      return isOurs ? this.#deliver(link, rest, payload) : this.#forward(link, rest, payload)
    }
    this.#fabric.refuse("no-destination")
  }

  #isForUs(destination: Destination): boolean {
    const { self, isPeer, topology } = this.#fabric
    if (destination.kind === "node") return destination.node === self || destination.node === WILDCARD
    return destination.kind === "resource" && isPeer && topology.nextHop(destination.resource) === undefined
  }

  #foreign(link: Link, overlay: number): void {
    this.#fabric.refuse("wrong-overlay")
    if (this.#strangers.has(link.node) || this.#strangers.size >= LIMITS.reload.links) return
    this.#strangers.add(link.node)
    const [theirs, ours] = [overlay, this.#fabric.overlayHash].map((hash) => hash.toString(16))
    const { instanceName } = this.#fabric.configuration
    const reason = `its messages are of an overlay with the hash ${theirs}, not ${ours} of ${instanceName}: stop that node, and join it by an invite to ${instanceName}`
    this.#fabric.log("warn", "overlay.wrong-overlay", { node: link.node, reason })
  }

  #forward(link: Link, header: ForwardingHeader, payload: Uint8Array): void {
    const [first] = header.destination
    const target =
      first?.kind === "node" ? first.node : first?.kind === "resource" ? first.resource : undefined
    const hop = target && this.#hopTo(target)
    if (hop === undefined) {
      this.#fabric.refuse("unroutable")
      if (first?.kind === "resource") this.#refuseForwarding({ header, link }, payload, "Error_Not_Found")
      return
    }
    if (header.ttl === 0) {
      this.#fabric.refuse("ttl")
      return this.#refuseForwarding({ header, link }, payload, "Error_TTL_Exceeded")
    }
    if (header.options.some(({ flags }) => flags & OptionFlag.forwardCritical)) {
      this.#fabric.refuse("option")
      return this.#refuseForwarding({ header, link }, payload, "Error_Unsupported_Forwarding_Option")
    }
    const via: readonly Destination[] = [...header.via, { kind: "node", node: link.node }]
    this.sendAgain(hop, { ...header, ttl: header.ttl - 1, via }, payload)
  }

  #hopTo(target: NodeId | ResourceId): Link | undefined {
    const node = this.#links.to(target as NodeId) ? (target as NodeId) : this.#fabric.topology.nextHop(target)
    return node === undefined ? undefined : this.#links.to(node)
  }

  #refuseForwarding(request: WayBack, payload: Uint8Array, error: ErrorName): void {
    // Only requests are answered; their codes are odd, and that of an Error is too.
    const code = codeOf(payload)
    if (code % 2 === 1 && code !== MessageCode.error) this.refuse(request, error)
  }

  #deliver(link: Link, header: ForwardingHeader, payload: Uint8Array): void {
    if (!isWhole(header) && this.#reassembly.expire(this.#fabric.now) > 0) this.#fabric.refuse("fragment")
    const whole = this.#reassembly.accept(link.node, { header, payload }, this.#fabric.now)
    if (whole === undefined) return
    const read = readPayload(whole.payload)
    const signer = this.#verified(link, header, read)
    if (typeof signer === "string") {
      this.#fabric.refuse("signature")
      this.#fabric.log("warn", "overlay.refused", {
        node: link.node,
        reason: `${signer}; the message was dropped: if this goes on, stop that node and join it anew by an invite`,
      })
      return
    }
    const { body, extensions } = read.contents
    const received: Received = {
      header,
      body,
      signer,
      node: signer.nodeIds[0]!,
      link,
      certificates: () => this.#bucket(read, signer),
    }
    if (!isRequest(body)) return this.#events.answer(received)
    if (!this.#isUpToDate(received)) return
    if (extensions.some(({ critical }) => critical)) return this.refuse(received, "Error_Unknown_Extension")
    if (header.options.some(({ flags }) => flags & OptionFlag.destinationCritical))
      return this.refuse(received, "Error_Unsupported_Forwarding_Option")
    this.#events.request(received)
  }

  /** §6.3.2.1. False: it has been refused, and whoever is behind will be sent the document. */
  #isUpToDate(received: Received): boolean {
    const { configurationSequence: theirs } = received.header
    const ours = this.#fabric.configuration.sequence
    if (theirs === ours || (theirs === ANY_CONFIGURATION && received.body.kind === "config-update-req"))
      return true
    const isBehind = isOlder(theirs, ours)
    this.refuse(received, isBehind ? "Error_Config_Too_Old" : "Error_Config_Too_New")
    if (isBehind) this.#events.behind(received.node)
    return false
  }

  /** The signer, or why the message may not be heard. */
  #verified(link: Link, header: ForwardingHeader, read: ReadPayload): Certificate | string {
    const { identity } = read.security.signature
    const isDirect =
      header.via.length === 0 &&
      identity.kind === "cert-hash" &&
      equalBytes(identity.hash, link.certificateHash)
    const { body } = read.contents
    const isCopy = body.kind === "store-req" && body.replicaNumber > 0
    if (isDirect && (isCopy || !isRequest(body))) return link.certificate
    const signer = verifyMessage(this.#fabric.settings.cryptography, {
      overlay: header.overlay,
      transaction: header.transaction,
      contentsBytes: read.contentsBytes,
      security: read.security,
      known: this.#certificates,
    })
    if ("refused" in signer) return signer.refused
    const distrust = this.#fabric.judge(signer)
    if (distrust !== undefined) return distrust
    this.#remember(signer)
    if (header.via.length === 0 && signer.nodeIds[0] === link.node) this.#links.renewed(link, signer)
    return signer
  }

  #remember(certificate: Certificate): void {
    if (this.#certificates.size >= LIMITS.reload.judgedCertificates) this.#certificates.clear()
    this.#certificates.set(certificate.fingerprint, certificate)
  }

  #bucket({ security }: ReadPayload, signer: Certificate): ReadonlyMap<string, Certificate> {
    const bucket = new Map(readBucket(this.#fabric.cryptography, security.certificates))
    return bucket.set(signer.fingerprint, signer)
  }

  #count(payload: Uint8Array, direction: "sent" | "received"): void {
    const method = METHODS.get(codeOf(payload)) ?? "unknown"
    this.#fabric.emit(count("reload_messages_total", { method, direction }))
  }
}

const codeOf = (payload: Uint8Array): number => ((payload[0] ?? 0) << 8) | (payload[1] ?? 0)
