import { type NodeId, parseNodeId } from "../identity/node-id.ts"
import type { Address } from "../kit/address.ts"
import { fromBase64, toUtf8 } from "../kit/bytes.ts"
import { FormatError } from "../kit/errors.ts"
import { parseTime } from "../kit/rfc3339.ts"
import { milliseconds, NEVER, seconds } from "../kit/time.ts"
import type { Configuration, KindDescription } from "./configuration.ts"
import { REGISTERED_KINDS } from "./registered-kinds.ts"
import type { DataModel, KindId } from "./stored-data.ts"
import { parseXml, type XmlElement } from "./xml.ts"

// RFC 6940 §11.1: the overlay configuration document, read. The published grammar (§11.1.1) lacks
// elements that the text has, so the text is followed, and what is unknown is passed over.

export const CONFIGURATION_TYPE = "application/p2p-overlay+xml"

export const CONFIG_NAMESPACE = "urn:ietf:params:xml:ns:p2p:config-base"
export const CHORD_NAMESPACE = "urn:ietf:params:xml:ns:p2p:config-chord"
/** Our own elements, and, as a mandatory-extension, the access policies CARILLON-ROLE and CARILLON-ROLE-NODE. */
export const CARILLON_NAMESPACE = "urn:carillon:config"

const SUPPORTED = new Set([CONFIG_NAMESPACE, CHORD_NAMESPACE, CARILLON_NAMESPACE])

/** Bytes that are signed, as they stood in the document, and the SecurityBlock over them. */
export interface SignedPart {
  readonly signedBytes: Uint8Array
  /** Undefined where there is none. Not verified yet: `verifyConfiguration`. */
  readonly signature: Uint8Array | undefined
}

export interface ConfigurationDocument extends SignedPart {
  readonly configuration: Configuration
  readonly kindBlocks: readonly (SignedPart & { readonly kind: KindId })[]
}

/**
 * Reads the configuration of `overlay`, or the first one where no name is given. Proves nothing:
 * `verifyConfiguration` does. Throws FormatError that names the line for what no node may act on,
 * also for a mandatory-extension that we do not support.
 */
export function parseConfiguration(xml: string, overlay?: string): ConfigurationDocument {
  const root = parseXml(xml)
  if (root.namespace !== CONFIG_NAMESPACE || root.name !== "overlay") {
    throw at(root, `<${root.name}> is not the <overlay> of a RELOAD configuration`)
  }
  const parts = root.children.filter((each) => each.namespace === CONFIG_NAMESPACE)
  const index = parts.findIndex(
    (each) =>
      each.name === "configuration" &&
      (overlay === undefined || each.attributes.get("instance-name") === overlay),
  )
  const element = parts[index]
  if (element === undefined) {
    throw at(
      root,
      overlay === undefined ? "there is no <configuration>" : `no <configuration> is for ${overlay}`,
    )
  }
  const blocks = children(element, "required-kinds").flatMap((each) => children(each, "kind-block"))
  const kinds = blocks.map((block) => only(block, "kind")).map((kind) => ({ kind, read: readKind(kind) }))
  const next = parts[index + 1]
  return {
    configuration: readElements(
      element,
      kinds.map(({ read }) => read),
    ),
    signedBytes: cut(xml, element),
    signature: next?.name === "signature" ? readBase64(next) : undefined,
    kindBlocks: kinds.map(({ kind, read }, each) => {
      const [signature] = children(blocks[each]!, "kind-signature")
      return {
        kind: read.id,
        signedBytes: cut(xml, kind),
        signature: signature === undefined ? undefined : readBase64(signature),
      }
    }),
  }
}

const cut = (xml: string, { start, end }: XmlElement): Uint8Array => toUtf8(xml.slice(start, end))

function readElements(element: XmlElement, kinds: readonly KindDescription[]): Configuration {
  const instanceName = element.attributes.get("instance-name")
  if (!instanceName) throw at(element, "the configuration has no instance-name")
  const texts = (name: string) => children(element, name).map((each) => each.text)
  const nodeIds = (name: string) => children(element, name).map(readNodeId)
  const extensions = children(element, "mandatory-extension")
  const unknown = extensions.find((each) => !SUPPORTED.has(each.text))
  if (unknown !== undefined) {
    throw at(unknown, `the overlay demands the extension ${unknown.text}, which this version does not have`)
  }
  const links = texts("overlay-link-protocol")
  return {
    instanceName,
    sequence: readAttribute(element, "sequence", 0, 65_534, 0),
    expiration: readExpiration(element),
    topologyPlugin:
      (optional(element, "topology-plugin") ?? optional(element, "topology-plug-in"))?.text ?? "CHORD-RELOAD",
    nodeIdLength: readNumber(element, "node-id-length", 16, 16, 16),
    rootCertificates: children(element, "root-cert").map(readBase64),
    enrollmentServers: texts("enrollment-server"),
    bootstrapNodes: children(element, "bootstrap-node").map(readBootstrapNode),
    clientsPermitted: readBoolean(element, "clients-permitted", true),
    noIce: readBoolean(element, "no-ice", false),
    maxMessageSize: readNumber(element, "max-message-size", 512, 0xffffff, 5_000),
    initialTtl: readNumber(element, "initial-ttl", 1, 255, 100),
    overlayReliabilityTimer: milliseconds(
      readNumber(element, "overlay-reliability-timer", 200, 3_600_000, 3_000),
    ),
    overlayLinkProtocols: links.length > 0 ? links : ["TLS"],
    configurationSigners: nodeIds("configuration-signer"),
    kindSigners: nodeIds("kind-signer"),
    badNodes: nodeIds("bad-node"),
    mandatoryExtensions: extensions.map((each) => each.text),
    kinds,
    chord: {
      updateInterval: seconds(readNumber(element, "chord-update-interval", 1, 86_400, 600, CHORD_NAMESPACE)),
      pingInterval: seconds(readNumber(element, "chord-ping-interval", 1, 86_400, 3_600, CHORD_NAMESPACE)),
      reactive: readBoolean(element, "chord-reactive", true, CHORD_NAMESPACE),
    },
    sipDomain: optional(element, "sip-domain", CARILLON_NAMESPACE)?.text ?? instanceName,
  }
}

const DATA_MODELS: ReadonlyMap<string, DataModel> = new Map([
  ["SINGLE", "single"],
  ["ARRAY", "array"],
  ["DICTIONARY", "dictionary"],
])

function readKind(element: XmlElement): KindDescription {
  const name = element.attributes.get("name")
  const registered = REGISTERED_KINDS.find((each) => each.name === name)
  if (name !== undefined && registered === undefined) {
    throw at(element, `the overlay demands the Kind ${name}, which this version does not have`)
  }
  const model = DATA_MODELS.get(only(element, "data-model").text)
  if (model === undefined) throw at(element, "the data-model is none of SINGLE, ARRAY, DICTIONARY")
  const multiple = optional(element, "max-node-multiple")
  const role = optional(element, "role", CARILLON_NAMESPACE)?.text
  return {
    id: registered?.id ?? readAttribute(element, "id", 1, 0xfffffffe),
    name,
    model: registered?.model ?? model,
    access: registered?.access ?? only(element, "access-control").text,
    maxCount: readText(only(element, "max-count"), 1, 0xffffffff),
    maxSize: readText(only(element, "max-size"), 0, 0xffffffff),
    ...(multiple && { maxNodeMultiple: readText(multiple, 1, 255) }),
    ...(role !== undefined && { role }),
  }
}

function readBootstrapNode(element: XmlElement): Address {
  const host = element.attributes.get("address")
  if (!host) throw at(element, "the bootstrap-node has no address")
  return { host, port: readAttribute(element, "port", 1, 65_535, 6_084) }
}

function readExpiration(element: XmlElement) {
  const text = element.attributes.get("expiration")
  if (text === undefined) return NEVER
  const time = parseTime(text.trim())
  if (time === undefined) throw at(element, `the expiration "${text}" is no UTC time as RFC 3339 has it`)
  return time
}

function readNodeId(element: XmlElement): NodeId {
  try {
    return parseNodeId(element.text.toLowerCase())
  } catch (cause) {
    throw at(element, (cause as FormatError).message)
  }
}

function readBase64(element: XmlElement): Uint8Array {
  const bytes = fromBase64(element.text.replaceAll(/\s/g, ""))
  if (bytes === undefined || bytes.length === 0) throw at(element, `<${element.name}> does not hold base64`)
  return bytes
}

/** xsd:boolean. */
function readBoolean(parent: XmlElement, name: string, fallback: boolean, namespace?: string): boolean {
  const element = optional(parent, name, namespace)
  if (element === undefined) return fallback
  if (element.text === "true" || element.text === "1") return true
  if (element.text === "false" || element.text === "0") return false
  throw at(element, `<${name}> is "${element.text}", neither true nor false`)
}

function readNumber(
  parent: XmlElement,
  name: string,
  least: number,
  most: number,
  fallback: number,
  namespace?: string,
): number {
  const element = optional(parent, name, namespace)
  return element === undefined ? fallback : readText(element, least, most)
}

const readText = (element: XmlElement, least: number, most: number): number =>
  within(element, `<${element.name}>`, element.text, least, most)

function readAttribute(
  element: XmlElement,
  name: string,
  least: number,
  most: number,
  fallback?: number,
): number {
  const text = element.attributes.get(name)
  if (text === undefined && fallback !== undefined) return fallback
  if (text === undefined) throw at(element, `<${element.name}> has no ${name}`)
  return within(element, name, text.trim(), least, most)
}

function within(element: XmlElement, name: string, text: string, least: number, most: number): number {
  const number = /^\+?\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least && number <= most)) {
    throw at(element, `${name} is "${text}", and no whole number from ${least} to ${most}`)
  }
  return number
}

const children = (parent: XmlElement, name: string, namespace = CONFIG_NAMESPACE): readonly XmlElement[] =>
  parent.children.filter((each) => each.name === name && each.namespace === namespace)

function optional(parent: XmlElement, name: string, namespace?: string): XmlElement | undefined {
  const [first, second] = children(parent, name, namespace)
  if (second !== undefined) throw at(second, `<${name}> stands twice, and can mean only one thing`)
  return first
}

function only(parent: XmlElement, name: string): XmlElement {
  const element = optional(parent, name)
  if (element === undefined) throw at(parent, `<${parent.name}> has no <${name}>`)
  return element
}

const at = ({ line }: XmlElement, problem: string): FormatError => new FormatError(`line ${line}: ${problem}`)
