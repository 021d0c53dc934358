import { X509Certificate } from "node:crypto"
import type { Certificate, Cryptography } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import { judgeCertificate } from "../../core/identity/trust.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import type { Clock } from "../kit/clock.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { readPemCertificates, rootsOf } from "./tls.ts"

/** Which node of our fabric a certificate is for, or a sentence on why it is none of them. */
export type Judged =
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "stranger"; readonly reason: string }

/** Our fabric as its certificates show it. */
export interface FabricTrust {
  readonly roots: readonly Uint8Array[]
  /** Roots as TLS wants them. */
  readonly rootsPem: readonly string[]
  judge(certificate: Uint8Array | undefined): Judged
}

/** The overlay and its roots are those of our own certificate: `material` is the chain, leaf first. `badNodes` are revoked. */
export function createFabricTrust(
  material: TlsMaterial,
  cryptography: Cryptography,
  clock: Clock,
  badNodes: () => readonly NodeId[] = () => [],
): FabricTrust {
  const [leaf] = readPemCertificates(material.certificate)
  const roots = rootsOf(material.certificate)
  const overlay = leaf === undefined ? "" : cryptography.readCertificate(leaf.raw).overlay
  return {
    roots,
    rootsPem: roots.map((root) => new X509Certificate(root).toString()),
    judge(der) {
      if (der === undefined) return { kind: "stranger", reason: "the other end shows no certificate" }
      const certificate = read(cryptography, der)
      if (typeof certificate === "string") return { kind: "stranger", reason: certificate }
      const reason = judgeCertificate(cryptography, certificate, {
        overlay,
        roots,
        now: clock(),
        badNodes: badNodes(),
      })
      const [node] = certificate.nodeIds
      if (reason !== undefined || node === undefined)
        return { kind: "stranger", reason: reason ?? "its certificate holds no Node-ID" }
      return { kind: "node", node }
    },
  }
}

function read(cryptography: Cryptography, der: Uint8Array): Certificate | string {
  try {
    return cryptography.readCertificate(der)
  } catch (cause) {
    if (cause instanceof CarillonError) return cause.message
    throw cause
  }
}
