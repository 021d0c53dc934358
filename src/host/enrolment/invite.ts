import { timingSafeEqual } from "node:crypto"
import type { Role } from "../../core/identity/certificate.ts"
import { isRoleName } from "../../core/identity/roles.ts"
import type { Address } from "../../core/kit/address.ts"
import { formatAddress } from "../../core/kit/address.ts"
import { fromBase64, fromUtf8, toBase64Url, toUtf8 } from "../../core/kit/bytes.ts"
import type { Hashes } from "../../core/kit/crypto.ts"
import { parseAddress } from "../../core/kit/parse-address.ts"
import { formatTime } from "../../core/kit/rfc3339.ts"
import type { Instant } from "../../core/kit/time.ts"

import { MembershipError } from "../kit/membership-error.ts"

// An invite is one line of text: `carillon1:` content `.` authenticator `.` checksum, all base64url.
// The authenticator is an HMAC under a key that all nodes of the fabric derive, so any of them can
// issue an invite and enrolment need not be told; it is also the secret that the invite is worth.
// The checksum lets the machine that joins, which has no key yet, tell a text that was cut or mistyped.

const PREFIX = "carillon"
const VERSION = "1"
const CHECKSUM_BYTES = 6
/** Longer than any that we write, by far. */
const MOST_CHARACTERS = 4_096
const MOST_USES = 100_000
const KEY_PURPOSE = "carillon invite 1"

/** 32 bytes that all nodes of the fabric share. */
export interface FabricKey {
  readonly epoch: number
  readonly key: Uint8Array
}

export interface Invite {
  /** Names the invite where its uses are counted. */
  readonly id: string
  readonly overlay: string
  /** Where enrolment is served. */
  readonly addresses: readonly Address[]
  /** SHA-256 of the root certificate, hexadecimal. */
  readonly rootFingerprint: string
  readonly roles: readonly Role[]
  /** How many nodes may join with it. */
  readonly uses: number
  /** To the second. */
  readonly expires: Instant
  /** Epoch of the fabric key that authenticates it. */
  readonly epoch: number
}

/** The line of text, authenticated under the fabric key of the invite's epoch. */
export function encodeInvite(
  hashes: Hashes,
  invite: Omit<Invite, "epoch">,
  { epoch, key }: FabricKey,
): string {
  const content = toBase64Url(
    toUtf8(
      JSON.stringify([
        invite.id,
        invite.overlay,
        invite.addresses.map(formatAddress),
        toBase64Url(Buffer.from(invite.rootFingerprint, "hex")),
        invite.roles,
        invite.uses,
        Math.floor(invite.expires / 1_000),
        epoch,
      ]),
    ),
  )
  const authenticated = `${PREFIX}${VERSION}:${content}.${toBase64Url(authenticate(hashes, content, key))}`
  return `${authenticated}.${checksum(hashes, authenticated)}`
}

/**
 * Reads an invite and judges what can be judged without the fabric key. Throws MembershipError
 * for a text that is not whole, of another version, or past its expiry.
 */
export function decodeInvite(hashes: Hashes, text: string, now: Instant): Invite {
  const line = text.trim()
  const [, version, content] = /^carillon(\d{1,4}):([\w-]+)/.exec(line) ?? []
  if (version === undefined || content === undefined || line.length > MOST_CHARACTERS) {
    throw damaged(`"${excerpt(line)}" is no invite: it begins with "${PREFIX}${VERSION}:" and is one line`)
  }
  if (version !== VERSION) {
    throw damaged(
      `the invite is of version ${version}, and this Carillon reads version ${VERSION}: update it`,
    )
  }
  const end = line.lastIndexOf(".")
  const whole = end > 0 && line.slice(end + 1) === checksum(hashes, line.slice(0, end))
  const invite = whole ? parseContent(content) : undefined
  if (invite === undefined) {
    throw damaged(
      `the invite "${excerpt(line)}" is cut short or changed: copy the whole line, or make a new one`,
    )
  }
  if (now > invite.expires) throw expired(invite, now)
  return invite
}

/** Whether a node of this fabric issued the text. What decodes is not genuine yet. */
export function isGenuineInvite(
  hashes: Hashes,
  text: string,
  invite: Invite,
  keys: readonly FabricKey[],
): boolean {
  const key = keys.find(({ epoch }) => epoch === invite.epoch)?.key
  const [, content, authenticator] = /^carillon1:([\w-]+)\.([\w-]+)\./.exec(text.trim()) ?? []
  if (key === undefined || content === undefined || authenticator === undefined) return false
  const given = fromBase64(authenticator)
  const right = authenticate(hashes, content, key)
  return given?.length === right.length && timingSafeEqual(given, right)
}

export const expired = (invite: Invite, now: Instant): MembershipError =>
  new MembershipError(
    "invite-expired",
    `the invite to ${invite.overlay} expired at ${formatTime(invite.expires)}, and it is ${formatTime(now)} here: ` +
      "make a new one with `carillon invite` on a node of the overlay, or set this machine's clock",
  )

const damaged = (message: string) => new MembershipError("invite-damaged", message)

const excerpt = (text: string): string => (text.length > 32 ? `${text.slice(0, 32)}…` : text)

const authenticate = (hashes: Hashes, content: string, fabricKey: Uint8Array): Uint8Array =>
  hashes.hmacSha256(hashes.hmacSha256(fabricKey, toUtf8(KEY_PURPOSE)), toUtf8(content))

const checksum = (hashes: Hashes, text: string): string =>
  toBase64Url(hashes.sha256(toUtf8(text)).subarray(0, CHECKSUM_BYTES))

function parseContent(content: string): Invite | undefined {
  const fields = readJson(content)
  if (!Array.isArray(fields)) return undefined
  const [id, overlay, addresses, root, roles, uses, expires, epoch] = fields as readonly unknown[]
  const places = strings(addresses)?.map(parseAddress)
  const roleNames = strings(roles)
  const rootBytes = typeof root === "string" ? fromBase64(root) : undefined
  if (typeof id !== "string" || typeof overlay !== "string" || rootBytes?.length !== 32) return undefined
  if (!places?.length || places.some((each) => each === undefined)) return undefined
  if (roleNames === undefined || !roleNames.every(isRoleName)) return undefined
  if (!isCount(uses, MOST_USES) || !isCount(expires, 2 ** 40) || !isCount(epoch, 2 ** 31)) return undefined
  return {
    id,
    overlay,
    addresses: places.filter((each) => each !== undefined),
    rootFingerprint: Buffer.from(rootBytes).toString("hex"),
    roles: roleNames,
    uses,
    expires: (expires * 1_000) as Instant,
    epoch,
  }
}

function readJson(content: string): unknown {
  const text = fromUtf8(fromBase64(content) ?? new Uint8Array())
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

const strings = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.every((each) => typeof each === "string") ? value : undefined

const isCount = (value: unknown, most: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
