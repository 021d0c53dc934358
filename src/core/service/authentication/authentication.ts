import { toUtf8 } from "../../kit/bytes.ts"
import { FormatError } from "../../kit/errors.ts"
import { toHex } from "../../kit/hex.ts"
import type { Instant } from "../../kit/time.ts"
import {
  type DigestAlgorithm,
  type DigestCredentials,
  digestResponse,
  formatChallenge,
  parseAuthorization,
} from "../../sip/digest.ts"
import type { SipRequest } from "../../sip/message.ts"
import type { Flow } from "../../sip/transport.ts"
import { equalUris } from "../../sip/uri.ts"
import type { CredentialScan } from "../known-requests/credential-scan.ts"
import { QuickDigest } from "../known-requests/quick-digest.ts"
import { type Names, readUri } from "../names.ts"
import type { FoundSubscriber } from "../questions.ts"
import { type Refusal, refuse, unavailable } from "../refusal.ts"
import type { Known } from "../registrar/known.ts"
import type { SipEffect, SipSettings } from "../sip-server-interface.ts"
import type { Unavailable } from "../stores.ts"
import { DigestScan } from "./digest-scan.ts"
import { Failures } from "./failures.ts"
import { Nonces } from "./nonce.ts"
import type { Subscribers } from "./subscribers.ts"

/** As a registrar asks, 401, or as a proxy does, 407. RFC 3261 §22.2, §22.3. */
export type Asker = "registrar" | "proxy"

interface Attempt {
  readonly request: SipRequest
  readonly source: string
  readonly asker: Asker
  /** Whom the request claims to be, `alice@example.org`. */
  readonly claimed: string
  readonly credentials: DigestCredentials
  readonly isStale: boolean
  /** Undefined: the request is who it claims to be. */
  readonly then: (refusal: Refusal | undefined, now: Instant) => readonly SipEffect[]
}

const FIELDS = {
  registrar: { status: 401, challenge: "WWW-Authenticate", answer: "Authorization" },
  proxy: { status: 407, challenge: "Proxy-Authenticate", answer: "Proxy-Authorization" },
} as const

/**
 * Digest authentication. RFC 3261 §22, RFC 7616. Users who do not exist are challenged, and refused,
 * like those whose password is wrong: nobody learns here who exists.
 */
export class Authentication {
  readonly #settings: SipSettings
  readonly #names: Names
  readonly #subscribers: Subscribers
  readonly #nonces: Nonces
  readonly #failures: Failures
  readonly #digest = new QuickDigest()
  readonly #scan = new DigestScan()

  constructor(settings: SipSettings, names: Names, subscribers: Subscribers) {
    this.#settings = settings
    this.#names = names
    this.#subscribers = subscribers
    this.#nonces = new Nonces(settings.hashes, settings.fabricKey, settings.random)
    this.#failures = new Failures(settings.trusted)
  }

  /** When something may be forgotten. */
  get deadline(): Instant {
    return this.#nonces.deadline
  }

  expire(now: Instant): void {
    this.#nonces.expire(now)
  }

  /** Judges whether `request` comes from the user `claimed`; goes on with `then`, now or when the store has answered. */
  authenticate(
    { request, flow }: { readonly request: SipRequest; readonly flow: Flow },
    asker: Asker,
    claimed: string,
    now: Instant,
    then: (refusal: Refusal | undefined, now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] {
    const read = this.#readCredentials(request, asker)
    if (read === "malformed") return then(refuse(400, "malformed credentials"), now)
    if (read === undefined) return then(this.#challenge(asker, "no credentials", now, { routine: true }), now)
    const source = flow.remote.host
    if (this.#failures.isBarred(source, now)) return then(refuse(403, "too many wrong passwords"), now)
    if (!this.#meansRequest(read, request, flow))
      return then(refuse(400, "digest-uri is neither the Request-URI nor of this domain"), now)
    const verdict = this.#nonces.judge(read.nonce, now)
    if (verdict === "forged")
      return then(this.#challenge(asker, "unknown nonce", now, { routine: true }), now)
    const isStale = verdict === "expired"
    const attempt: Attempt = { request, source, asker, claimed, credentials: read, isStale, then }
    const name = `${read.username}@${this.#settings.domain}`
    const known = this.#subscribers.recall(name, now)
    // What is remembered may let in, but only what the store says now may keep out.
    if (known?.kind === "present" && this.#proves(attempt, name, known))
      return this.#admit(attempt, name, now)
    return this.#subscribers.find(name, now, (found, later) => this.#judge(attempt, name, found, later))
  }

  /**
   * Whether a request of a known shape comes from the user it came from before: the same checks, in the bytes of the
   * message. Then the nonce's count is used up by it. False says nothing and changes nothing: `authenticate` has to judge.
   */
  provesAgain(
    message: Uint8Array,
    credentials: CredentialScan,
    known: Known,
    source: string,
    now: Instant,
  ): boolean {
    if (this.#failures.isBarred(source, now)) return false
    const user = known.userIn(this.#subscribers, now)
    if (user?.kind !== "present") return false
    const { nonceStart, nonceEnd, count } = credentials
    if (this.#nonces.judgeBytes(message, nonceStart, nonceEnd, now) !== "fresh") return false
    if (this.#nonces.isUsed(count)) return false
    if (!this.#digest.proves(message, credentials, user.subscriber.ha1.md5, known.ha2)) return false
    return this.#nonces.useJudged(count, now)
  }

  /**
   * Whether a request comes from the user `claimed`, by the value of Proxy-Authorization that stands from `start` to `end` in it: the same checks as
   * `authenticate`, where they stand. Then the nonce's count is used up by it. False says nothing and changes nothing.
   */
  provesAtOnce(
    { bytes, text, method, uri }: { bytes: Uint8Array; text: string; method: string; uri: string },
    { start, end }: { readonly start: number; readonly end: number },
    claimed: string,
    source: string,
    now: Instant,
  ): boolean {
    const { domain, algorithms } = this.#settings
    const scan = this.#scan
    if (!algorithms.includes("MD5") || this.#failures.isBarred(source, now) || !scan.read(text, start, end))
      return false
    if (!scan.says("realm", text, domain) || !scan.says("uri", text, uri)) return false
    const at = claimed.length - domain.length - 1
    if (claimed[at] !== "@" || !claimed.endsWith(domain)) return false
    if (!scan.says("username", text, claimed.slice(0, at))) return false
    const user = this.#subscribers.recall(claimed, now)
    if (user?.kind !== "present") return false
    if (this.#nonces.judgeBytes(bytes, scan.nonceStart, scan.nonceEnd, now) !== "fresh") return false
    if (this.#nonces.isUsed(scan.count)) return false
    const ha2 = this.#digest.ha2(method, uri)
    if (ha2 === undefined || !this.#digest.proves(bytes, scan, user.subscriber.ha1.md5, ha2)) return false
    return this.#nonces.useJudged(scan.count, now)
  }

  /**
   * Where the store would be asked who that is, asks it, and goes on with `then`, for which the answer is there. Undefined
   * where it need not be asked, or would not be.
   */
  askFirst(
    message: Uint8Array,
    { nonceStart, nonceEnd }: CredentialScan,
    { aor }: Known,
    source: string,
    now: Instant,
    then: (now: Instant) => readonly SipEffect[],
  ): readonly SipEffect[] | undefined {
    if (this.#subscribers.recall(aor, now) !== undefined || this.#failures.isBarred(source, now))
      return undefined
    if (this.#nonces.judgeBytes(message, nonceStart, nonceEnd, now) !== "fresh") return undefined
    return this.#subscribers.findFirst(aor, now, then)
  }

  /** A nonce for a challenge, NONCE_LENGTH bytes of a message. */
  issueBytes(bytes: Uint8Array, start: number, now: Instant): void {
    this.#nonces.issueBytes(bytes, start, now)
  }

  #judge(
    attempt: Attempt,
    name: string,
    found: FoundSubscriber | Unavailable,
    now: Instant,
  ): readonly SipEffect[] {
    const { domain } = this.#settings
    if (found.kind === "unavailable") return attempt.then(unavailable(domain, found.cause), now)
    if (this.#proves(attempt, name, found)) return this.#admit(attempt, name, now)
    this.#failures.add(attempt.source, now)
    if (this.#failures.isBarred(attempt.source, now))
      return attempt.then(refuse(403, "too many wrong passwords"), now)
    const cause = found.kind === "absent" ? `no such user ${name}` : `wrong password of ${name}`
    return attempt.then(this.#challenge(attempt.asker, cause, now), now)
  }

  /** The password is right: is the nonce, and is it the right user? */
  #admit(attempt: Attempt, name: string, now: Instant): readonly SipEffect[] {
    const { credentials, asker, claimed, isStale, then } = attempt
    const { nonce, auth } = credentials
    // Clients of RFC 2069 do not count: a nonce serves them once.
    const count = auth === undefined ? 1 : Number.parseInt(auth.nc, 16)
    if (isStale || !this.#nonces.use(nonce, count, now))
      return then(this.#challenge(asker, "stale nonce", now, { stale: true, routine: true }), now)
    return then(name === claimed ? undefined : refuse(403, `${name} is not ${claimed}`), now)
  }

  #proves({ credentials, request }: Attempt, name: string, found: FoundSubscriber): boolean {
    const { hashes } = this.#settings
    const secret = found.kind === "present" ? secretOf(found, credentials.algorithm) : this.#decoy(name)
    const proved = digestResponse(hashes, secret, request.method, credentials) === credentials.response
    return proved && found.kind === "present"
  }

  /** A secret that nobody knows, so that refusing a stranger takes as long as refusing a user. */
  #decoy(name: string): string {
    const { hashes, fabricKey } = this.#settings
    return toHex(hashes.hmacSha256(fabricKey, toUtf8(`decoy ${name}`))).slice(0, 32)
  }

  /** The first credentials for our realm in an algorithm that we accept. */
  #readCredentials(request: SipRequest, asker: Asker): DigestCredentials | "malformed" | undefined {
    const { domain, algorithms } = this.#settings
    try {
      return request.headers
        .all(FIELDS[asker].answer)
        .map((text) => parseAuthorization(text))
        .find((given) => given?.realm === domain && algorithms.includes(given.algorithm))
    } catch (error) {
      if (error instanceof FormatError) return "malformed"
      throw error
    }
  }

  #challenge(
    asker: Asker,
    cause: string,
    now: Instant,
    { stale = false, routine = false }: { readonly stale?: boolean; readonly routine?: boolean } = {},
  ): Refusal {
    const { domain, algorithms } = this.#settings
    const { status, challenge } = FIELDS[asker]
    const headers = algorithms.map((algorithm) => ({
      name: challenge,
      value: formatChallenge({ realm: domain, nonce: this.#nonces.issue(now), algorithm, stale }),
    }))
    return { status, cause, headers, routine }
  }

  /**
   * RFC 7616 §3.4.6: a digest for another resource proves nothing for this one. Many phones, and SIPp, name
   * the server they send to instead of the Request-URI; for that server it is proof enough.
   */
  #meansRequest({ uri }: DigestCredentials, request: SipRequest, flow: Flow): boolean {
    if (uri === request.uri) return true
    const given = readUri(uri)
    if (given === undefined) return false
    if (this.#names.isOurs(given, flow.transport)) return true
    const asked = readUri(request.uri)
    return asked !== undefined && equalUris(given, asked)
  }
}

const secretOf = (
  { subscriber }: Extract<FoundSubscriber, { kind: "present" }>,
  algorithm: DigestAlgorithm,
) => (algorithm === "MD5" ? subscriber.ha1.md5 : subscriber.ha1.sha256)
