import type { Certificate, Cryptography, Identity } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { judgeCertificate, type Trust } from "../identity/trust.ts"
import { concat, equalBytes, toUtf8 } from "../kit/bytes.ts"
import { FormatError } from "../kit/errors.ts"
import { fromHex } from "../kit/hex.ts"
import { decode, encode } from "../wire/codec.ts"
import { DecodeError } from "../wire/decode-error.ts"
import type { ConfigurationDocument, SignedPart } from "./configuration-document.ts"
import { SecurityBlock, type SignerIdentity } from "./security.ts"

// RFC 6940 §11.1: the signature over <configuration>, and those over each <kind>. They are over
// those bytes alone: §6.3.4 adds the signer's identity to what messages and values sign, and §11.1
// does not.

const SHA256 = 4

/** Who may sign, and under which roots. */
export interface ConfigurationTrust extends Omit<Trust, "badNodes"> {
  /** The configuration-signer elements of the document before this one; of a first document, its own. */
  readonly signers: readonly NodeId[]
}

/** The SecurityBlock over `text`, with the signer's certificate in it. */
export function signPart(text: string, signer: Identity): Uint8Array {
  const { certificate, algorithm } = signer
  return encode(SecurityBlock, {
    certificates: [{ type: "x509", der: certificate.der }],
    signature: {
      algorithm,
      identity: { kind: "cert-hash", hashAlgorithm: SHA256, hash: fromHex(certificate.fingerprint) },
      value: signer.sign(toUtf8(text)),
    },
  })
}

/**
 * Whether the document may be acted on: undefined where it may, otherwise one sentence that says
 * why not. Kinds are to be signed by a kind-signer that the document itself lists.
 */
export function verifyConfiguration(
  cryptography: Cryptography,
  document: ConfigurationDocument,
  trust: ConfigurationTrust,
): string | undefined {
  const { configuration, kindBlocks } = document
  if (configuration.instanceName !== trust.overlay) {
    return `the configuration is of the overlay ${configuration.instanceName}, not of ${trust.overlay}`
  }
  if (trust.now > configuration.expiration) return `the configuration of ${trust.overlay} has expired`
  const judged = { ...trust, badNodes: configuration.badNodes }
  const problem = verifyPart(cryptography, document, judged, trust.signers)
  if (problem !== undefined) return `the configuration of ${trust.overlay} ${problem}`
  for (const block of kindBlocks) {
    const kindProblem = verifyPart(cryptography, block, judged, configuration.kindSigners)
    if (kindProblem !== undefined) return `the Kind ${block.kind} in the configuration ${kindProblem}`
  }
  return undefined
}

function verifyPart(
  cryptography: Cryptography,
  { signedBytes, signature }: SignedPart,
  trust: Trust,
  signers: readonly NodeId[],
): string | undefined {
  if (signature === undefined) return "is not signed"
  const block = readBlock(cryptography, signature)
  if (block === undefined) return "has a signature that is no SecurityBlock of certificates"
  const { algorithm, identity, value } = block.signature
  const signer = block.certificates.find((each) => isSigner(cryptography, each, identity))
  const [nodeId] = signer?.nodeIds ?? []
  if (signer === undefined || nodeId === undefined) return "has a signature without its signer's certificate"
  const distrust = judgeCertificate(cryptography, signer, trust)
  if (distrust !== undefined) return `has a signer that is not trusted: ${distrust}`
  if (!signers.includes(nodeId)) return `is signed by ${nodeId}, which may not sign it`
  if (!cryptography.verify(signer, algorithm, signedBytes, value))
    return "has been changed after it was signed"
  return undefined
}

function readBlock(cryptography: Cryptography, bytes: Uint8Array) {
  try {
    const { certificates, signature } = decode(SecurityBlock, bytes, "SecurityBlock")
    return { certificates: certificates.map(({ der }) => cryptography.readCertificate(der)), signature }
  } catch (cause) {
    if (cause instanceof DecodeError || cause instanceof FormatError) return undefined
    throw cause
  }
}

/** §6.3.4: SHA-256 of the certificate, or of one of its Node-IDs with the certificate behind. */
function isSigner(cryptography: Cryptography, certificate: Certificate, identity: SignerIdentity): boolean {
  if (identity.kind === "none" || identity.hashAlgorithm !== SHA256) return false
  if (identity.kind === "cert-hash") return equalBytes(identity.hash, fromHex(certificate.fingerprint))
  return certificate.nodeIds.some((nodeId) =>
    equalBytes(identity.hash, cryptography.sha256(concat(fromHex(nodeId), certificate.der))),
  )
}
