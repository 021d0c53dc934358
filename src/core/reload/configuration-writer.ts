import type { Identity } from "../identity/certificate.ts"
import { toBase64 } from "../kit/base64.ts"
import { formatTime } from "../kit/rfc3339.ts"
import type { Configuration, KindDescription } from "./configuration.ts"
import { CARILLON_NAMESPACE, CHORD_NAMESPACE, CONFIG_NAMESPACE } from "./configuration-document.ts"
import { signPart } from "./configuration-signature.ts"
import { escapeXml } from "./xml.ts"

/**
 * The signed configuration document, RFC 6940 §11.1. `signer` must be listed in it as
 * configuration-signer and as kind-signer, and in the document before it as configuration-signer.
 */
export function writeConfiguration(configuration: Configuration, signer: Identity): string {
  const { instanceName, sequence, expiration } = configuration
  const expires = Number.isFinite(expiration) ? ` expiration="${formatTime(expiration)}"` : ""
  const signed = [
    `<configuration instance-name="${escapeXml(instanceName)}" sequence="${sequence}"${expires}>`,
    ...writeElements(configuration),
    "<required-kinds>",
    ...configuration.kinds.map((kind) => writeKindBlock(kind, signer)),
    "</required-kinds>",
    "</configuration>",
  ].join("\n")
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<overlay xmlns="${CONFIG_NAMESPACE}" xmlns:chord="${CHORD_NAMESPACE}" xmlns:carillon="${CARILLON_NAMESPACE}">`,
    signed,
    element("signature", toBase64(signPart(signed, signer))),
    "</overlay>\n",
  ].join("\n")
}

const element = (name: string, content: string | number | boolean): string =>
  `<${name}>${escapeXml(String(content))}</${name}>`

function writeElements(configuration: Configuration): readonly string[] {
  const { chord } = configuration
  const each = (name: string, contents: readonly string[]) =>
    contents.map((content) => element(name, content))
  return [
    element("topology-plugin", configuration.topologyPlugin),
    element("node-id-length", configuration.nodeIdLength),
    ...each("root-cert", configuration.rootCertificates.map(toBase64)),
    ...each("enrollment-server", configuration.enrollmentServers),
    ...configuration.bootstrapNodes.map(
      ({ host, port }) => `<bootstrap-node address="${escapeXml(host)}" port="${port}"/>`,
    ),
    element("clients-permitted", configuration.clientsPermitted),
    element("no-ice", configuration.noIce),
    element("chord:chord-update-interval", chord.updateInterval / 1_000),
    element("chord:chord-ping-interval", chord.pingInterval / 1_000),
    element("chord:chord-reactive", chord.reactive),
    element("max-message-size", configuration.maxMessageSize),
    element("initial-ttl", configuration.initialTtl),
    element("overlay-reliability-timer", configuration.overlayReliabilityTimer),
    ...each("overlay-link-protocol", configuration.overlayLinkProtocols),
    ...each("configuration-signer", configuration.configurationSigners),
    ...each("kind-signer", configuration.kindSigners),
    ...each("bad-node", configuration.badNodes),
    ...each("mandatory-extension", configuration.mandatoryExtensions),
    element("carillon:sip-domain", configuration.sipDomain),
  ]
}

function writeKindBlock(kind: KindDescription, signer: Identity): string {
  const { id, name, model, access, maxCount, maxSize, maxNodeMultiple, role } = kind
  const signed = [
    name === undefined ? `<kind id="${id}">` : `<kind name="${escapeXml(name)}">`,
    element("data-model", model.toUpperCase()),
    element("access-control", access),
    element("max-count", maxCount),
    element("max-size", maxSize),
    ...(maxNodeMultiple === undefined ? [] : [element("max-node-multiple", maxNodeMultiple)]),
    ...(role === undefined ? [] : [element("carillon:role", role)]),
    "</kind>",
  ].join("")
  const signature = element("kind-signature", toBase64(signPart(signed, signer)))
  return `<kind-block>${signed}${signature}</kind-block>`
}
