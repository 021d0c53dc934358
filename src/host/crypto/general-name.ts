import { FormatError } from "../../core/kit/errors.ts"
import { formatIp, ipBytes } from "../../core/kit/ip.ts"
import { type DerElement, implicitTag, writeDer } from "./der.ts"

/** One entry of a SubjectAltName, of the types that we use. RFC 5280 §4.2.1.6. */
export interface GeneralName {
  readonly type: "email" | "dns" | "uri" | "ip"
  readonly value: string
}

const TAGS: ReadonlyMap<number, GeneralName["type"]> = new Map([
  [implicitTag(1), "email"],
  [implicitTag(2), "dns"],
  [implicitTag(6), "uri"],
  [implicitTag(7), "ip"],
])

/** A domain, or an address that serves as one. */
export const hostName = (host: string): GeneralName => {
  const address = ipBytes(host)
  return address === undefined ? { type: "dns", value: host } : { type: "ip", value: formatIp(address) }
}

export function writeGeneralName({ type, value }: GeneralName): Uint8Array {
  const [tag] = [...TAGS].find(([, each]) => each === type)!
  const content = type === "ip" ? ipBytes(value) : Buffer.from(value, "latin1")
  if (content === undefined) throw new FormatError(`"${value}" is no IP address`)
  return writeDer(tag, content)
}

/** Undefined for types that we do not use. */
export function readGeneralName({ tag, content }: DerElement): GeneralName | undefined {
  const type = TAGS.get(tag)
  if (type === undefined) return undefined
  if (type !== "ip") return { type, value: Buffer.from(content).toString("latin1") }
  if (content.length !== 4 && content.length !== 16) {
    throw new FormatError(`an IP address of ${content.length} bytes is none`)
  }
  return { type, value: formatIp(content) }
}
