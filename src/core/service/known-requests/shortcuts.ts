import { toLatin1 } from "../../kit/bytes.ts"
import { FormatError } from "../../kit/errors.ts"
import { LIMITS } from "../../kit/limits.ts"
import { count } from "../../kit/log.ts"
import { mixed } from "../../kit/row-index.ts"
import { formatSipDate } from "../../kit/sip-date.ts"
import type { Instant } from "../../kit/time.ts"
import { type DigestCredentials, formatChallenge, parseAuthorization } from "../../sip/digest.ts"
import { tagOf, toOf, topVia } from "../../sip/fields.ts"
import type { SipRequest } from "../../sip/message.ts"
import { headerNumber } from "../../sip/scan-names.ts"
import { type Flow, isReliable } from "../../sip/transport.ts"
import { responseHop } from "../../transaction/response-route.ts"
import { STANDARD_TIMERS } from "../../transaction/timers.ts"
import { topViaText } from "../../transaction/via-stack.ts"
import type { Authentication } from "../authentication/authentication.ts"
import { NONCE_LENGTH } from "../authentication/nonce.ts"
import type { Call } from "../desk.ts"
import type { Names } from "../names.ts"
import { Piece } from "../piece.ts"
import type { Answered, KnownShape } from "../registrar/edge-record.ts"
import type { Known } from "../registrar/known.ts"
import type { Registrar } from "../registrar/registrar.ts"
import type { SipEffect, SipInput, SipSettings } from "../sip-server-interface.ts"
import { AnswerWriter } from "./answer-writer.ts"
import type { CredentialScan } from "./credential-scan.ts"
import { Newcomers } from "./newcomers.ts"
import { Skeleton } from "./skeleton.ts"

type Received = Extract<SipInput, { kind: "received" }>

export interface ShortcutParts {
  readonly settings: SipSettings
  readonly names: Names
  readonly authentication: Authentication
  readonly registrar: Registrar
  /** Requests taken and not finally answered. */
  readonly pending: () => number
  /** Whether a REGISTER with that Via has a transaction, which answers it. */
  readonly isTaken: (sentBy: string, branch: string, now: Instant) => boolean
  /** Takes a message, by whichever way. */
  readonly receive: (input: Received, now: Instant) => readonly SipEffect[]
  /** Header fields of the answer to an OPTIONS for the domain, each a line. */
  readonly capabilities: string
}

const ROUTE = headerNumber("Route")

/** Shapes of OPTIONS, a generation; strangers can make up more. */
const REMEMBERED_OPTIONS = 1_024

/** Nobody waits for what became of such an answer. */
const ID = "shortcut"

/** One object, which whoever counts can know again. */
const CHALLENGED = count("sip_refused_total", { status: "401" })

const OK = new Piece("SIP/2.0 200 OK")
const UNAUTHORIZED = new Piece("SIP/2.0 401 Unauthorized")
const CONTACT = new Piece("Contact: ")
const EXPIRES = new Piece(";expires=")
const NO_BODY = new Piece("Content-Length: 0\r\n\r\n")

interface KnownOptions {
  readonly b: number
  readonly transport: string
}

/**
 * Answers requests that are known: they look as one did that the general way has judged, but for what is new in each.
 * A REGISTER that refreshes what stands, with credentials, which are checked as ever; the same without, which is
 * challenged, as a plain one is whoever it comes from; and an OPTIONS to the domain. The answer is what the general way would
 * say, and what that would refuse goes there (docs/decisions/0017-known-requests.md). No transaction is left behind: a
 * repetition is answered anew.
 */
export class Shortcuts {
  readonly #parts: ShortcutParts
  readonly #skeleton = new Skeleton()
  readonly #newcomers: Newcomers
  readonly #writer = new AnswerWriter()
  readonly #challenges: readonly { readonly before: Piece; readonly behind: Piece }[]
  readonly #capabilities: Piece
  #aliases: readonly string[]
  #recentOptions = new Map<number, KnownOptions>()
  #olderOptions = new Map<number, KnownOptions>()
  /** The message that is being handled, where it is plain. */
  #bytes: Uint8Array | undefined
  #second = -1
  #date = new Piece("")

  constructor(parts: ShortcutParts) {
    this.#parts = parts
    const { domain, algorithms, aliases } = parts.settings
    this.#newcomers = new Newcomers(parts.names)
    this.#aliases = aliases()
    this.#capabilities = new Piece(parts.capabilities)
    this.#challenges = algorithms.map((algorithm) => {
      const text = formatChallenge({ realm: domain, nonce: "<nonce>", algorithm })
      const [before, behind] = `WWW-Authenticate: ${text}\r\n`.split("<nonce>")
      return { before: new Piece(before!), behind: new Piece(behind!) }
    })
  }

  /** Undefined: the general way has to judge it. */
  answer({ bytes, flow, room }: Received, now: Instant): readonly SipEffect[] | undefined {
    this.#bytes = undefined
    this.#writer.room = room
    if (flow.node !== undefined || !this.#skeleton.read(bytes)) return undefined
    this.#bytes = bytes
    const { settings, pending } = this.#parts
    const aliases = settings.aliases()
    if (aliases !== this.#aliases) {
      this.#forget(aliases)
      return undefined
    }
    if (pending() >= LIMITS.sip.pendingTransactions) return undefined
    return this.#skeleton.method === "OPTIONS" ? this.#options(bytes, flow) : this.#register(bytes, flow, now)
  }

  /** What the REGISTER that is being handled looks like, for `Registrar.register`. Undefined where it is not plain. */
  shapeOf(call: Call): KnownShape | undefined {
    const skeleton = this.#skeleton
    const bytes = this.#bytes
    const { request, flow } = call
    if (bytes === undefined || !skeleton.hasCredentials || !this.#isAnsweredPlainly(bytes, call))
      return undefined
    const credentials = readCredentials(request)
    if (credentials?.auth === undefined || credentials.algorithm !== "MD5") return undefined
    if (!saysSame(skeleton.credentials, bytes, credentials)) return undefined
    const { hashes } = this.#parts.settings
    return {
      a: skeleton.a,
      b: skeleton.b,
      credentialsA: skeleton.credentials.a,
      credentialsB: skeleton.credentials.b,
      flow,
      ha2: hashes.digestHex("md5", `${request.method}:${credentials.uri}`),
    }
  }

  /** The OPTIONS that is being handled is one to the domain. */
  rememberOptions(call: Call): void {
    const { method, scan, rportEnd, a, b } = this.#skeleton
    const { transport } = call.flow
    if (this.#bytes === undefined || method !== "OPTIONS" || scan.first(ROUTE) >= 0) return
    // For another source the answer may have to go elsewhere.
    if ((rportEnd < 0 && !isReliable(transport)) || topVia(call.request).parameters.has("maddr")) return
    if (!this.#isAnsweredPlainly(this.#bytes, call)) return
    if (this.#recentOptions.size >= REMEMBERED_OPTIONS) {
      this.#olderOptions = this.#recentOptions
      this.#recentOptions = new Map()
    }
    this.#recentOptions.set(a, { b, transport })
  }

  /** Names that meant the domain may mean it no more. */
  #forget(aliases: readonly string[]): void {
    this.#aliases = aliases
    this.#parts.registrar.forgetShapes()
    this.#newcomers.forget()
    this.#recentOptions.clear()
    this.#olderOptions.clear()
  }

  /** Whether our answer would repeat what the general one does, and go where that goes. */
  #isAnsweredPlainly(bytes: Uint8Array, { request, flow }: Call): boolean {
    const hop = responseHop(topVia(request), flow)
    if (hop.kind !== "flow" || hop.flow !== flow || tagOf(toOf(request)) !== undefined) return false
    return this.#writer.viaText(bytes, this.#skeleton, flow) === topViaText(request.headers)
  }

  #options(bytes: Uint8Array, flow: Flow): readonly SipEffect[] | undefined {
    const { a, b } = this.#skeleton
    const known = this.#recentOptions.get(a) ?? this.#olderOptions.get(a)
    if (known?.b !== b || known.transport !== flow.transport) return undefined
    const writer = this.#writer
    writer.begin(OK, bytes, this.#skeleton, flow, undefined)
    writer.piece(this.#capabilities)
    writer.piece(NO_BODY)
    return [this.#send(flow)]
  }

  #register(bytes: Uint8Array, flow: Flow, now: Instant): readonly SipEffect[] | undefined {
    const { registrar, settings } = this.#parts
    const skeleton = this.#skeleton
    const known = registrar.recall(skeleton.a, skeleton.b)
    if (known === undefined || !known.isFrom(flow)) return this.#welcome(bytes, flow, now)
    if (skeleton.hasCredentials && this.#isRepetition(bytes, flow, known, now))
      return [this.#accept(bytes, flow, known)]
    if (settings.surroundings.refusesWork() !== undefined) return undefined
    if (!skeleton.hasCredentials) {
      known.notice(skeleton.cseq)
      return this.#challenge(bytes, flow, now)
    }
    const { credentials } = skeleton
    if (!known.hasCredentials(credentials.a, credentials.b)) return undefined
    return this.#refresh(bytes, flow, known, now)
  }

  /** A transaction would absorb it, whatever has happened since, as long as there was one. RFC 3261 §17.2.2. */
  #isRepetition(bytes: Uint8Array, flow: Flow, known: Known, now: Instant): boolean {
    if (known.answeredCseq !== this.#skeleton.cseq || isReliable(flow.transport)) return false
    return now - known.answeredAt < STANDARD_TIMERS.j && known.isAnswered(this.#looks(bytes))
  }

  /** By what a REGISTER is told from another one of the same shape and CSeq. */
  #looks(bytes: Uint8Array): Answered {
    const { credentials, branchStart, branchEnd } = this.#skeleton
    const response = sumOf(bytes, credentials.responseStart, credentials.responseStart + 32)
    return { branch: sumOf(bytes, branchStart, branchEnd), proof: mixed(credentials.count) ^ response }
  }

  /** Whoever it is has to say so. */
  #welcome(bytes: Uint8Array, flow: Flow, now: Instant): readonly SipEffect[] | undefined {
    const { registrar, settings, isTaken } = this.#parts
    const skeleton = this.#skeleton
    if (skeleton.hasCredentials || settings.surroundings.refusesWork() !== undefined) return undefined
    const newcomer = this.#newcomers.read(bytes, skeleton, flow)
    if (newcomer === undefined) return undefined
    const { aor, callId, via } = newcomer
    if (isTaken(via.sentBy, via.branch, now)) return undefined
    registrar.notice(aor, callId, skeleton.cseq)
    return this.#challenge(bytes, flow, now)
  }

  #challenge(bytes: Uint8Array, flow: Flow, now: Instant): readonly SipEffect[] {
    const writer = this.#writer
    writer.begin(UNAUTHORIZED, bytes, this.#skeleton, flow, undefined)
    for (const { before, behind } of this.#challenges) {
      writer.piece(before)
      const { memory, at } = writer.leave(NONCE_LENGTH)
      this.#parts.authentication.issueBytes(memory, at, now)
      writer.piece(behind)
    }
    writer.piece(NO_BODY)
    return [CHALLENGED, this.#send(flow)]
  }

  #refresh(bytes: Uint8Array, flow: Flow, known: Known, now: Instant): readonly SipEffect[] | undefined {
    const { registrar, authentication } = this.#parts
    const { credentials, cseq } = this.#skeleton
    if (!registrar.isRefresh(known, cseq, now)) return undefined
    if (!authentication.provesAgain(bytes, credentials, known, flow.remote.host, now))
      return this.#askFirst(bytes, flow, known, now)
    registrar.refreshAgain(known, cseq, now)
    known.setAnswered(this.#looks(bytes))
    return [this.#accept(bytes, flow, known)]
  }

  /**
   * Nobody is remembered for long: the store is asked who that is, and then the message is taken as if it came now, by
   * whichever way. Not over a connection, which may have gone by then.
   */
  #askFirst(bytes: Uint8Array, flow: Flow, known: Known, now: Instant): readonly SipEffect[] | undefined {
    if (flow.connection !== undefined) return undefined
    const { authentication, receive } = this.#parts
    const { credentials } = this.#skeleton
    const copy = new Uint8Array(bytes)
    return authentication.askFirst(bytes, credentials, known, flow.remote.host, now, (later) =>
      receive({ kind: "received", flow, bytes: copy }, later),
    )
  }

  #accept(bytes: Uint8Array, flow: Flow, known: Known): SipEffect {
    const writer = this.#writer
    writer.begin(OK, bytes, this.#skeleton, flow, known.toTag)
    writer.piece(CONTACT)
    known.writeContact(writer)
    writer.piece(EXPIRES)
    writer.number(Math.ceil(known.granted / 1_000))
    writer.piece(this.#parts.registrar.behindContact(known))
    writer.piece(this.#dateAt(known.answeredAt))
    writer.piece(NO_BODY)
    return this.#send(flow)
  }

  #send(flow: Flow): SipEffect {
    return { kind: "send", id: ID, hop: { kind: "flow", flow }, bytes: this.#writer.end() }
  }

  /** With the end of its line. */
  #dateAt(instant: Instant): Piece {
    const second = Math.floor(instant / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#date = new Piece(`${formatSipDate(instant)}\r\n`)
    }
    return this.#date
  }
}

/** Undefined where the general way would not take them. */
function readCredentials({ headers }: SipRequest): DigestCredentials | undefined {
  try {
    return parseAuthorization(headers.first("Authorization") ?? "")
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/** Whether the parts that were found in the bytes are those that the general reader has found. */
function saysSame(found: CredentialScan, bytes: Uint8Array, { nonce, auth, response }: DigestCredentials) {
  const text = (start: number, end: number) => toLatin1(bytes.subarray(start, end))
  return (
    text(found.nonceStart, found.nonceEnd) === nonce &&
    text(found.cnonceStart, found.cnonceEnd) === auth?.cnonce &&
    text(found.ncStart, found.ncStart + auth.nc.length) === auth.nc &&
    text(found.responseStart, found.responseStart + response.length).toLowerCase() === response
  )
}

/** Tells one branch from another, and one response. */
function sumOf(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0x811c9dc5
  for (let at = start; at < end; at++) sum = Math.imul(sum ^ bytes[at]!, 0x01000193)
  return sum | 0
}
