import type { Instant } from "../kit/time.ts"
import type { Certificate, Cryptography } from "./certificate.ts"
import type { NodeId } from "./node-id.ts"

/** What a certificate must fit to be one of ours, now. */
export interface Trust {
  /** Name of the overlay. */
  readonly overlay: string
  /** DER of the root certificates that the configuration document lists. */
  readonly roots: readonly Uint8Array[]
  readonly now: Instant
  /** Revoked, by the configuration document's bad-node elements. RFC 6940 §11.1. */
  readonly badNodes: readonly NodeId[]
}

const ADMIT = "admit it anew by what `carillon invite` prints"

/**
 * Whether a node of this overlay may act under `certificate`: undefined where it may, otherwise
 * one sentence that says why not. RFC 6940 §13.3; checked before anything the node says is heard.
 */
export function judgeCertificate(
  cryptography: Cryptography,
  certificate: Certificate,
  { overlay, roots, now, badNodes }: Trust,
): string | undefined {
  const name = `the certificate of ${certificate.userName}`
  const [nodeId, ...others] = certificate.nodeIds
  if (nodeId === undefined) return `${name} holds no Node-ID`
  if (others.length > 0) return `${name} holds ${others.length + 1} Node-IDs, and a node has one`
  if (certificate.overlay !== overlay)
    return `${name} is for the overlay ${certificate.overlay}, not for ${overlay}: ${ADMIT}`
  if (badNodes.includes(nodeId))
    return `${name} is revoked, its node ${nodeId} is a bad-node of the configuration: ${ADMIT} if it may come back`
  if (now < certificate.notBefore)
    return `${name} becomes valid in ${span(certificate.notBefore - now)}: compare the clocks of both nodes`
  if (now > certificate.notAfter)
    return `${name} expired ${span(now - certificate.notAfter)} ago: compare the clocks of both nodes, or ${ADMIT}`
  if (!cryptography.isIssuedBy(certificate, roots))
    return `${name} is not signed by the CA of ${overlay}: ${ADMIT}`
  return undefined
}

/** Coarse on purpose: it is read by a person who looks for a wrong clock or a missed renewal. */
function span(milliseconds: number): string {
  const minutes = Math.ceil(milliseconds / 60_000)
  if (minutes < 120) return `${minutes} min`
  return minutes < 2_880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} days`
}
