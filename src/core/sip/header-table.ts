/** What is known of a header field by its name. RFC 3261 §20 and the RFCs that add to it. */
export interface HeaderDefinition {
  /** As its RFC spells it. */
  readonly name: string
  /** One letter. RFC 3261 §7.3.3. */
  readonly compact: string | undefined
  /** Several values may share a field, separated by commas. RFC 3261 §7.3.1. */
  readonly list: boolean
  /** A second one makes the message mean two things, so it is refused. */
  readonly once: boolean
  /** A bit for each name of which there may be one; 0 for others. */
  readonly bit: number
}

type Row = readonly [name: string, compact?: string]

const LISTS: readonly Row[] = [
  ["Via", "v"],
  ["Contact", "m"],
  ["Route"],
  ["Record-Route"],
  ["Path"],
  ["Service-Route"],
  ["Supported", "k"],
  ["Require"],
  ["Proxy-Require"],
  ["Unsupported"],
  ["Allow"],
  ["Allow-Events", "u"],
  ["Accept"],
  ["Accept-Encoding"],
  ["Accept-Language"],
  ["Accept-Contact", "a"],
  ["Reject-Contact", "j"],
  ["Content-Encoding", "e"],
  ["Content-Language"],
  ["Alert-Info"],
  ["Call-Info"],
  ["Error-Info"],
  ["In-Reply-To"],
  ["Warning"],
  ["Reason"],
  ["Diversion"],
  ["History-Info"],
  ["P-Asserted-Identity"],
  ["P-Preferred-Identity"],
  ["P-Associated-URI"],
  ["P-Visited-Network-ID"],
  ["Privacy"],
  ["Resource-Priority"],
  ["Request-Disposition", "d"],
  ["Security-Client"],
  ["Security-Server"],
  ["Security-Verify"],
]

const SINGLE: readonly Row[] = [
  ["From", "f"],
  ["To", "t"],
  ["Call-ID", "i"],
  ["CSeq"],
  ["Max-Forwards"],
  ["Max-Breadth"],
  ["Content-Length", "l"],
  ["Content-Type", "c"],
  ["Content-Disposition"],
  ["Content-ID"],
  ["Expires"],
  ["Min-Expires"],
  ["Event", "o"],
  ["Subscription-State"],
  ["Refer-To", "r"],
  ["Referred-By", "b"],
  ["Replaces"],
  ["Join"],
  ["Retry-After"],
  ["Session-Expires", "x"],
  ["Min-SE"],
  ["RSeq"],
  ["RAck"],
  ["SIP-ETag"],
  ["SIP-If-Match"],
  ["Flow-Timer"],
  ["Answer-Mode"],
  ["Target-Dialog"],
]

/** Those that may come often without being lists, and those of which a second one does no harm. */
const OTHERS: readonly Row[] = [
  ["P-Called-Party-ID"],
  ["P-Charging-Vector"],
  ["P-Access-Network-Info"],
  ["MIME-Version"],
  ["Timestamp"],
  ["User-Agent"],
  ["Server"],
  ["Priority"],
  ["Organization"],
  ["Subject", "s"],
  ["Reply-To"],
  ["Date"],
  ["Authorization"],
  ["Proxy-Authorization"],
  ["WWW-Authenticate"],
  ["Proxy-Authenticate"],
  ["Authentication-Info"],
  ["Proxy-Authentication-Info"],
  ["Identity", "y"],
  ["Identity-Info", "n"],
  ["Remote-Party-ID"],
  ["P-Preferred-Service"],
  ["P-Asserted-Service"],
  ["Geolocation"],
]

const define =
  (list: boolean, once: boolean) =>
  ([name, compact]: Row, index: number): HeaderDefinition => ({
    name,
    compact,
    list,
    once,
    bit: once ? 1 << index : 0,
  })

/** All of them; the place of one is its number to `scan.ts`. */
export const HEADER_TABLE: readonly HeaderDefinition[] = [
  ...LISTS.map(define(true, false)),
  ...SINGLE.map(define(false, true)),
  ...OTHERS.map(define(false, false)),
]

/** By canonical, lower-case and compact spelling, so that what is common needs no change of case. */
const BY_SPELLING = new Map<string, HeaderDefinition>(
  HEADER_TABLE.flatMap((definition) => {
    const spellings = [definition.name, definition.name.toLowerCase()]
    if (definition.compact !== undefined) spellings.push(definition.compact)
    return spellings.map((spelling) => [spelling, definition] as const)
  }),
)

/** The definition of a header of that name, in any case and in compact form too; undefined for unknown ones. */
export const headerDefinition = (name: string): HeaderDefinition | undefined =>
  BY_SPELLING.get(name) ?? BY_SPELLING.get(name.toLowerCase())

/** By length and ends of the name, so that one in a message is recognised where it stands, without being cut out. */
const BY_SHAPE: (readonly HeaderDefinition[] | undefined)[] = []

const SHAPES = 4_096

/** Letters alike in either case. */
const shapeOf = (text: string, start: number, end: number): number =>
  ((end - start) * 331 + (text.charCodeAt(start) | 32) * 37 + (text.charCodeAt(end - 1) | 32) * 7) % SHAPES

for (const definition of HEADER_TABLE) {
  for (const spelling of [definition.name, definition.compact ?? ""]) {
    if (spelling === "") continue
    const shape = shapeOf(spelling, 0, spelling.length)
    BY_SHAPE[shape] = [...(BY_SHAPE[shape] ?? []), definition]
  }
}
for (let shape = 0; shape < SHAPES; shape++) BY_SHAPE[shape] ??= []

/** The definition of the header whose name, a token, stands there; undefined for unknown ones. */
export function headerDefinitionAt(text: string, start: number, end: number): HeaderDefinition | undefined {
  const candidates = BY_SHAPE[shapeOf(text, start, end)]!
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!
    const spelling = end - start === 1 ? candidate.compact : candidate.name
    if (spelling !== undefined && isSpelled(spelling, text, start, end)) return candidate
  }
  return undefined
}

/** Tokens have no characters but letters that differ in that bit alone. */
function isSpelled(name: string, text: string, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++)
    if ((name.charCodeAt(at) | 32) !== (text.charCodeAt(start + at) | 32)) return false
  return true
}
