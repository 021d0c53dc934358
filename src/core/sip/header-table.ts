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
  ["Geolocation"],
]

const define =
  (list: boolean, once: boolean) =>
  ([name, compact]: Row): HeaderDefinition => ({ name, compact, list, once })

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
