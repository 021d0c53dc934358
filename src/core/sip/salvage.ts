import { FormatError } from "../kit/errors.ts"
import { runEnd, TOKEN } from "./characters.ts"
import { type HeaderField, Headers, NO_BODY, type SipRequest } from "./message.ts"
import { splitList } from "./name-address.ts"
import { formatVia, parseVia } from "./via.ts"

/** What an answer repeats of its request, Via apart. RFC 3261 §8.2.6.2. */
const REPEATED = ["From", "To", "Call-ID", "CSeq"]

/**
 * What is needed to answer a broken request: the Vias that can be read, the first From, To, Call-ID and
 * CSeq, however wrong. Undefined where it cannot be answered: no Via, or an ACK.
 */
export function salvage(method: string, uri: string, fields: readonly HeaderField[]): SipRequest | undefined {
  if (method === "ACK") return undefined
  const vias = fields.filter(({ name }) => name === "Via").flatMap(({ value }) => readableVias(value))
  if (vias.length === 0) return undefined
  const others = REPEATED.flatMap((name) => fields.find((field) => field.name === name) ?? [])
  const headers = new Headers([...vias.map((value) => ({ name: "Via", value })), ...others])
  return { kind: "request", method, uri, headers, body: NO_BODY }
}

function readableVias(value: string): readonly string[] {
  try {
    const vias = splitList(value)
    for (const via of vias) parseVia(via)
    return vias
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return sentByAndBranch(value)
  }
}

/** The protocol, sent-by and branch of a Via whose other parameters are nonsense. RFC 4475 §3.1.2.1. */
function sentByAndBranch(value: string): readonly string[] {
  const end = value.search(/[;,]/)
  try {
    // Another protocol version is no reason to be silent: RFC 4475 §3.1.2.16.
    const via = parseVia(value.slice(0, end < 0 ? undefined : end).replace(/^SIP\/\d+\.\d+\//, "SIP/2.0/"))
    const start = value.indexOf(";branch=")
    const branch = start < 0 ? "" : value.slice(start + 8, runEnd(value, start + 8, TOKEN))
    return [formatVia(branch === "" ? via : { ...via, parameters: via.parameters.with("branch", branch) })]
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return []
  }
}
