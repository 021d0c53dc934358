import { readFileSync } from "node:fs"

/** One message of RFC 4475 or RFC 5118 and what is to become of it. */
export interface TortureMessage {
  /** As the RFC calls it. */
  readonly name: string
  readonly file: URL
  /** Of the RFC that has it. */
  readonly section: string
  /** Whether `parseMessage` takes it. */
  readonly grammar: "valid" | "invalid"
  /**
   * What a SIP server that is registrar and proxy does with it: `400` and the like are its answer, `drop` is
   * silence, `process` is to go on as with any other request of that kind, `relay` to pass a response on.
   */
  readonly serverVerdict: string
}

type Row = readonly [name: string, section: string, grammar: TortureMessage["grammar"], serverVerdict: string]

const table = (folder: string, rows: readonly Row[]): readonly TortureMessage[] =>
  rows.map(([name, section, grammar, serverVerdict]) => ({
    name,
    file: new URL(`${folder}/${name}.dat`, import.meta.url),
    section,
    grammar,
    serverVerdict,
  }))

export const RFC_4475 = table("rfc4475", [
  ["wsinv", "3.1.1.1", "valid", "process"],
  ["intmeth", "3.1.1.2", "valid", "process"],
  ["esc01", "3.1.1.3", "valid", "process"],
  ["escnull", "3.1.1.4", "valid", "process"],
  ["esc02", "3.1.1.5", "valid", "process"],
  ["lwsdisp", "3.1.1.6", "valid", "process"],
  ["longreq", "3.1.1.7", "valid", "process"],
  ["dblreq", "3.1.1.8", "valid", "process"],
  ["semiuri", "3.1.1.9", "valid", "process"],
  ["transports", "3.1.1.10", "valid", "process"],
  ["mpart01", "3.1.1.11", "valid", "process"],
  ["unreason", "3.1.1.12", "valid", "relay"],
  ["noreason", "3.1.1.13", "valid", "relay"],
  ["badinv01", "3.1.2.1", "invalid", "400"],
  ["clerr", "3.1.2.2", "invalid", "400"],
  ["ncl", "3.1.2.3", "invalid", "400"],
  ["scalar02", "3.1.2.4", "invalid", "400"],
  ["scalarlg", "3.1.2.5", "invalid", "drop"],
  ["quotbal", "3.1.2.6", "invalid", "400"],
  ["ltgtruri", "3.1.2.7", "invalid", "400"],
  ["lwsruri", "3.1.2.8", "invalid", "400"],
  ["lwsstart", "3.1.2.9", "valid", "process"],
  ["trws", "3.1.2.10", "valid", "process"],
  ["escruri", "3.1.2.11", "invalid", "400"],
  ["baddate", "3.1.2.12", "valid", "process"],
  ["regbadct", "3.1.2.13", "invalid", "400"],
  ["badaspec", "3.1.2.14", "invalid", "400"],
  ["baddn", "3.1.2.15", "invalid", "400"],
  ["badvers", "3.1.2.16", "invalid", "505"],
  ["mismatch01", "3.1.2.17", "invalid", "400"],
  ["mismatch02", "3.1.2.18", "invalid", "501"],
  ["bigcode", "3.1.2.19", "invalid", "drop"],
  ["badbranch", "3.2.1", "invalid", "400"],
  ["insuf", "3.3.1", "invalid", "400"],
  ["unkscm", "3.3.2", "valid", "416"],
  ["novelsc", "3.3.3", "valid", "416"],
  ["unksm2", "3.3.4", "valid", "400"],
  ["bext01", "3.3.5", "valid", "420"],
  ["invut", "3.3.6", "valid", "process"],
  ["regaut01", "3.3.7", "valid", "401"],
  ["multi01", "3.3.8", "invalid", "400"],
  ["mcl01", "3.3.9", "invalid", "400"],
  ["bcast", "3.3.10", "valid", "drop"],
  ["zeromf", "3.3.11", "valid", "483"],
  ["cparam01", "3.3.12", "valid", "process"],
  ["cparam02", "3.3.13", "valid", "process"],
  ["regescrt", "3.3.14", "valid", "process"],
  ["sdp01", "3.3.15", "valid", "process"],
  ["inv2543", "3.4.1", "valid", "process"],
])

export const RFC_5118 = table("rfc5118", [
  ["ipv6-good", "4.1", "valid", "process"],
  ["ipv6-bad", "4.2", "invalid", "400"],
  ["port-ambiguous", "4.3", "valid", "process"],
  ["port-unambiguous", "4.4", "valid", "process"],
  ["via-received-param-with-delim", "4.5", "valid", "process"],
  ["via-received-param-no-delim", "4.5", "valid", "process"],
  ["ipv6-in-sdp", "4.6", "valid", "process"],
  ["mult-ip-in-header", "4.7", "valid", "process"],
  ["mult-ip-in-sdp", "4.8", "valid", "process"],
  ["ipv4-mapped-ipv6", "4.9", "valid", "process"],
  ["ipv6-bug-abnf-3-colons", "4.10", "valid", "process"],
  ["ipv6-correct-abnf-2-colons", "4.10", "valid", "process"],
])

export const TORTURE: readonly TortureMessage[] = [...RFC_4475, ...RFC_5118]

/** The bytes of the message of that name. */
export function tortureBytes(name: string): Uint8Array {
  const message = TORTURE.find((candidate) => candidate.name === name)
  if (message === undefined) throw new Error(`no torture message ${name}`)
  return new Uint8Array(readFileSync(message.file))
}
