/** Longest user part that we take; phones' displays and log lines are the reason. */
export const MAX_USER_NAME = 64

export const MAX_PASSWORD = 128

/** RFC 3261 §25.1 `user`, without escapes: `%61lice` would be a second spelling of `alice`. */
const USER_PART = /^[A-Za-z0-9\-_.!~*'()&=+$,;?/]+$/

/** What an administrator writes for a user, taken apart: `alice`, `alice@example.org` or `sip:alice@example.org`. */
export function splitUserName(text: string): { readonly user: string; readonly domain: string | undefined } {
  const bare = text.replace(/^sips?:/i, "")
  const at = bare.lastIndexOf("@")
  if (at < 0) return { user: bare, domain: undefined }
  return { user: bare.slice(0, at), domain: bare.slice(at + 1).toLowerCase() }
}

/**
 * Why `text` cannot name a user, as the end of a sentence that begins with the name; undefined
 * where it can. `domain` is the fabric's SIP domain; undefined leaves the domain unjudged.
 */
export function userNameProblem(text: string, domain?: string): string | undefined {
  const { user, domain: named } = splitUserName(text)
  if (user === "") return "is empty: give the user part of a SIP address, such as alice"
  if (user.length > MAX_USER_NAME) return `is longer than ${MAX_USER_NAME} characters`
  if (!USER_PART.test(user))
    return "is no user part of a SIP address: use letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; ? /"
  if (/^node-/i.test(user)) return 'is reserved: names that begin with "node-" belong to nodes'
  if (domain !== undefined && named !== undefined && named !== domain)
    return `is not in this fabric's domain: leave the domain out, or write ${user}@${domain}`
  return undefined
}

/** Why `text` cannot be a password, as the end of a sentence; undefined where it can. */
export function passwordProblem(text: string): string | undefined {
  if (text === "") return "is empty"
  if (text.length > MAX_PASSWORD) return `is longer than ${MAX_PASSWORD} characters`
  if (/\p{Cc}/u.test(text)) return "holds a control character"
  return undefined
}
