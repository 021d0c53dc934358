import { isIP } from "node:net"
import { z } from "zod"
import { KNOWN_ROLES } from "../../control/roles.ts"
import { passwordProblem, splitUserName, userNameProblem } from "../../control/user-name.ts"

// Settings come as text from the command line and the environment, and as YAML's own types from
// the file. Each reader takes both; problems are the end of a sentence that begins with the value.

type Read<T> = { readonly value: T } | { readonly problem: string }

const reading = <T>(read: (given: unknown) => Read<T>): z.ZodType<T> =>
  z.unknown().transform((given, context) => {
    const result = read(given)
    if ("value" in result) return result.value
    context.addIssue({ code: "custom", message: result.problem })
    return z.NEVER
  })

const text = reading((given) =>
  typeof given === "string" && given.trim() !== ""
    ? { value: given.trim() }
    : { problem: "is not a text; write one" },
)

const port = reading((given) => {
  const number = typeof given === "string" && /^\d+$/.test(given) ? Number(given) : given
  return typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 65_535
    ? { value: number }
    : { problem: "is no port; give a number from 1 to 65535, or 0 for any free one" }
})

const holders = reading((given) => {
  const number = Number(given)
  return Number.isInteger(number) && number >= 1 && number <= 8
    ? { value: number }
    : { problem: "is no number of nodes to hold the CA; give one from 1 to 8" }
})

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** In milliseconds. */
const life = reading((given) => {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(String(given)) ?? []
  const time = digits === undefined ? 0 : Number(digits) * UNITS[unit!]!
  return time >= UNITS["m"]! && time <= 365 * UNITS["d"]!
    ? { value: time }
    : { problem: "is no life of a certificate; write it like 60s, 12h or 90d, from 60s to 365d" }
})

/** In milliseconds. */
const bound = reading((given) => {
  const [, digits, unit] = /^(\d{1,4})([sm])$/.exec(String(given)) ?? []
  const time = digits === undefined ? 0 : Number(digits) * UNITS[unit!]!
  return time >= UNITS["s"]! && time <= 60 * UNITS["m"]!
    ? { value: time }
    : { problem: "is no bound for clocks; write it like 5s or 2m, from 1s to 60m" }
})

const address = reading((given) => {
  const bare = String(given).replace(/^\[(.*)\]$/, "$1")
  return isIP(bare) === 0
    ? { problem: "is no IP address; write one such as 192.0.2.1, 127.0.0.2 or 2001:db8::1" }
    : { value: bare }
})

const specific = address.refine((host) => host !== "0.0.0.0" && host !== "::", {
  message: "means all addresses; tell others one at which they can reach this node",
})

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** RFC 3261 §25.1 `host`: a host name or an IP literal. */
const domain = reading((given) => {
  const name = String(given).trim().toLowerCase().replace(/\.$/, "")
  const isName = name.length <= 253 && name.split(".").every((label) => LABEL.test(label))
  return isName || isIP(name) !== 0
    ? { value: name }
    : { problem: "is no SIP domain; write a host name such as example.org, or an IP address" }
})

/** A YAML list, or one text with commas or white space between. */
const words = (given: unknown): readonly string[] =>
  (Array.isArray(given) ? given.map(String) : String(given).split(/[,\s]+/)).filter((word) => word !== "")

const readList =
  <T>(read: (word: string) => T | undefined, problem: string) =>
  (given: unknown): Read<readonly T[]> => {
    const values: T[] = []
    for (const word of words(given)) {
      const value = read(word)
      if (value === undefined) return { problem: `holds "${word}", which ${problem}` }
      values.push(value)
    }
    return values.length > 0 ? { value: values } : { problem: "is empty; leave it out, or write something" }
  }

const list = <T>(read: (word: string) => T | undefined, problem: string) => reading(readList(read, problem))

const oneOf = <const Word extends string>(...known: readonly Word[]) =>
  reading<Word>((given) => {
    const word = known.find((each) => each === String(given).toLowerCase())
    return word === undefined ? { problem: `is not known; write ${known.join(", ")}` } : { value: word }
  })

const users = reading((given) => {
  const accounts: { readonly name: string; readonly password: string }[] = []
  for (const entry of Array.isArray(given) ? given.map(String) : String(given).split(/\s+/).filter(Boolean)) {
    const colon = entry.indexOf(":")
    if (colon < 0) return { problem: "lacks a colon; write name:password" }
    const [name, password] = [entry.slice(0, colon), entry.slice(colon + 1)]
    const problem = userNameProblem(name)
    if (problem !== undefined) return { problem: `has the name "${name}", which ${problem}` }
    const bad = passwordProblem(password)
    if (bad !== undefined) return { problem: `has a password for ${splitUserName(name).user} that ${bad}` }
    accounts.push({ name, password })
  }
  return { value: accounts }
})

function network(word: string): string | undefined {
  const [host, bits, ...rest] = word.split("/")
  const family = isIP(host!)
  if (family === 0 || rest.length > 0) return undefined
  const most = family === 4 ? 32 : 128
  if (bits === undefined) return `${host}/${most}`
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most ? word : undefined
}

const readNetworks = readList(network, "is no network; write it like 192.0.2.0/24, or none alone")

/** An empty list looks like an accident, so that nobody is trusted by a word only. */
const networks = reading((given) => (words(given).join() === "none" ? { value: [] } : readNetworks(given)))

/** With a port where it is not 53; IPv6 in brackets then. */
function nameServer(word: string): string | undefined {
  const [, host, number] =
    /^(?:\[?(.+?)\]?)(?::(\d{1,5}))?$/.exec(isIP(word) === 6 ? `[${word}]` : word) ?? []
  if (host === undefined || isIP(host) === 0 || Number(number ?? 53) > 65_535) return undefined
  return word
}

const ALGORITHMS = { md5: "MD5", "sha-256": "SHA-256" } as const

const algorithm = (word: string) => ALGORITHMS[word.toLowerCase() as keyof typeof ALGORITHMS]

/** All settings of `up`, by `keyOf` their names. */
export const UpSettings = z.object({
  data: text.default("./carillon-data"),
  domain: domain.optional(),
  join: text.optional(),
  roles: list(
    (word) => KNOWN_ROLES.find((role) => role === word),
    `is no role of this version; write some of ${KNOWN_ROLES.join(",")}`,
  ).optional(),
  enrolmentNodes: holders.optional(),
  certificateLife: life.optional(),
  clockBound: bound.optional(),
  site: text.optional(),
  rack: text.optional(),
  user: users.default([]),
  host: address.default("0.0.0.0"),
  advertise: specific.optional(),
  sipPort: port.default(5060),
  sipsPort: port.default(5061),
  reloadPort: port.default(6084),
  httpPort: port.default(8080),
  httpHost: address.optional(),
  nameServers: list(
    nameServer,
    "is no address of a name server; write one such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:53",
  ).optional(),
  tlsCert: text.optional(),
  tlsKey: text.optional(),
  digest: list<"MD5" | "SHA-256">(algorithm, "is no digest algorithm; write md5, sha-256 or both").default([
    "MD5",
  ]),
  trusted: networks.default(["127.0.0.0/8", "::1/128"]),
  log: oneOf("plain", "json").default("plain"),
  logLevel: oneOf("debug", "info", "warn", "error").default("info"),
  keyLog: text.optional(),
  udp: oneOf("auto", "plain").default("auto"),
})
