import { toLatin1, toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import type { ProvisioningCommand } from "./provisioning.ts"

/** Longest user part: fits every phone's display and keeps index entries small. */
export const LONGEST_USER = 64

/** RFC 3261 §25.1 `user`, without escapes: what a person can type on a phone. */
const USER = /^[A-Za-z0-9\-_.!~*'()&=+$,;?/]+$/

export type NamedUsers =
  | ProvisioningCommand
  | { readonly kind: "refused"; readonly code: "bad-name"; readonly cause: string }

/** `alice` or `alice@DOMAIN` as the Resource Name `alice@domain`; otherwise one sentence on what is wrong. */
export function resourceNameOf(
  domain: string,
  name: string,
): { readonly name: string; readonly user: string } | string {
  const at = name.lastIndexOf("@")
  const user = at < 0 ? name : name.slice(0, at)
  const given = at < 0 ? domain : name.slice(at + 1).toLowerCase()
  if (given !== domain) return `"${name}" is not of the domain ${domain}; leave out the part from "@" on`
  if (user.length > LONGEST_USER)
    return `user name "${user}" is longer than ${LONGEST_USER} characters; choose a shorter one`
  if (!USER.test(user))
    return `user name "${user}" cannot stand in a SIP address; use letters, digits and -_.!~*'()&=+$,;?/`
  if (/^node-/i.test(user))
    return `user name "${user}" is reserved: names that begin with "node-" belong to nodes; choose another`
  return { name: `${user}@${domain}`, user }
}

/** Passwords turned into what is stored. RFC 7616 §3.4.2: H(user:realm:password), of UTF-8. */
function secretsOf(hashes: Hashes, domain: string, user: string, password: string) {
  const text = toLatin1(toUtf8(`${user}:${domain}:${password}`))
  return { md5: hashes.digestHex("md5", text), sha256: hashes.digestHex("sha256", text) }
}

type Asked =
  | {
      readonly kind: "put-users"
      readonly mode: "add" | "import" | "change-password"
      readonly users: readonly { readonly name: string; readonly password: string }[]
    }
  | { readonly kind: "remove-user"; readonly name: string }

/** An operator's words as a command on records: names made whole, passwords hashed. */
export function readUsers(hashes: Hashes, domain: string, asked: Asked): NamedUsers {
  if (asked.kind === "remove-user") {
    const read = resourceNameOf(domain, asked.name)
    return typeof read === "string" ? badName(read) : { kind: "remove-user", name: read.name }
  }
  const users = []
  const named = new Set<string>()
  for (const { name, password } of asked.users) {
    const read = resourceNameOf(domain, name)
    if (typeof read === "string") return badName(read)
    if (named.has(read.name)) return badName(`user ${read.name} is named twice; give each user once`)
    named.add(read.name)
    users.push({ name: read.name, ha1: secretsOf(hashes, domain, read.user, password) })
  }
  return { kind: "put-users", mode: asked.mode, users }
}

const badName = (cause: string) => ({ kind: "refused", code: "bad-name", cause }) as const
