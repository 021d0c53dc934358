import type { Certificate, Cryptography, Identity } from "../identity/certificate.ts"
import { concat } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { FormatError, invariant } from "../kit/errors.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import { LIMITS } from "../kit/limits.ts"
import { NOTHING } from "../kit/machine.ts"
import { encode, struct, u32, u64 } from "../wire/codec.ts"
import { Writer } from "../wire/writer.ts"
import { type ForwardingHeader, ResourceId, TransactionId } from "./header.ts"
import { MessageContents, writeMessage } from "./message.ts"
import {
  Certificates,
  type GenericCertificate,
  type SecurityBlock,
  Signature,
  SignerIdentity,
} from "./security.ts"
import { KindId, type StoredData, type StoredValue, storedValue } from "./stored-data.ts"

// RFC 6940 §6.3.4 and §7.1: who signs what, over which bytes. A certificate speaks for exactly one
// Node-ID here, since judgeCertificate refuses the others; so the signer's certificate is the signer.

/** Why a signature does not hold, in one sentence for the log. */
export interface Refused {
  readonly refused: string
}

const SHA256 = 4

/** What all that one certificate signs has in common. */
interface Signer {
  /** The certificate by its hash: the form for certificates with one Node-ID. §6.3.4. */
  readonly identity: SignerIdentity
  /** The same as it is signed. */
  readonly identityBytes: Uint8Array
  /** The certificates of a message that needs no others, as they stand in it. */
  readonly bucketBytes: Uint8Array
}

const signers = new WeakMap<Certificate, Signer>()

function signerOf(certificate: Certificate): Signer {
  const known = signers.get(certificate)
  if (known !== undefined) return known
  const { nodeIds, fingerprint, der } = certificate
  invariant(nodeIds.length === 1, "an identity's certificate holds one Node-ID")
  const identity = { kind: "cert-hash", hashAlgorithm: SHA256, hash: fromHex(fingerprint) } as const
  const identityBytes = encode(SignerIdentity, identity)
  const bucketBytes = encode(Certificates, fillBucket(der, NOTHING))
  const signer = { identity, identityBytes, bucketBytes }
  signers.set(certificate, signer)
  return signer
}

/** A message to be signed. `certificates`: DER of others' that its values need; ours goes along anyway. */
export interface MessageToSign {
  readonly overlay: number
  readonly transaction: TransactionId
  readonly contents: MessageContents
  readonly certificates?: readonly Uint8Array[]
}

/** The payload that follows the forwarding header: contents and security block. */
export function signMessage(identity: Identity, message: MessageToSign): Uint8Array {
  const writer = new Writer()
  return writer.finish(writeSigned(identity, message, writer))
}

/** Where the payload begins: what it is signed with stands in front of it. */
function writeSigned(identity: Identity, message: MessageToSign, writer: Writer): number {
  MessagePlace.write(message, writer)
  const start = writer.length
  MessageContents.write(message.contents, writer)
  const end = writer.length
  const signer = signerOf(identity.certificate)
  writer.bytes(signer.identityBytes)
  const value = identity.sign(writer.written(0))
  writer.backTo(end)
  const { certificates = NOTHING } = message
  if (certificates.length === 0) writer.bytes(signer.bucketBytes)
  else Certificates.write(fillBucket(identity.certificate.der, certificates), writer)
  Signature.write({ algorithm: identity.algorithm, identity: signer.identity, value }, writer)
  return start
}

/** A whole message in brief memory: see `writeMessage`. */
export interface SignedMessage {
  readonly bytes: Uint8Array
  /** That part of the bytes which has to be the same when it is sent again. */
  readonly payload: Uint8Array
}

/** Signs a message and writes it with its header, behind so many free bytes, without a copy between. */
export function writeSignedMessage(
  identity: Identity,
  header: ForwardingHeader,
  message: Omit<MessageToSign, "overlay" | "transaction">,
  free: number,
): SignedMessage {
  const { overlay, transaction } = header
  const writer = new Writer()
  const start = writeSigned(identity, { overlay, transaction, ...message }, writer)
  const bytes = writeMessage(header, writer.written(start), free)
  const payload = bytes.subarray(bytes.length - (writer.length - start))
  writer.discard()
  return { bytes, payload }
}

/** A message as `readPayload` took it apart, with `overlay` and `transaction` from its header. */
export interface MessageToVerify {
  readonly overlay: number
  readonly transaction: TransactionId
  readonly contentsBytes: Uint8Array
  readonly security: SecurityBlock
  /** Certificates known from elsewhere, by fingerprint: of linked peers, say. */
  readonly known?: ReadonlyMap<string, Certificate>
}

/** Who signed it. Whether to trust that certificate is another question: `judgeCertificate`. */
export function verifyMessage(cryptography: Cryptography, message: MessageToVerify): Certificate | Refused {
  const { certificates, signature } = message.security
  const known = message.known && findSigner(cryptography, signature.identity, message.known)
  const signer =
    known && !("refused" in known)
      ? known
      : findSigner(cryptography, signature.identity, readBucket(cryptography, certificates))
  if ("refused" in signer) return signer
  const writer = new Writer()
  MessagePlace.write(message, writer)
  writer.bytes(message.contentsBytes)
  SignerIdentity.write(signature.identity, writer)
  const isRight = cryptography.verify(signer, signature.algorithm, writer.written(0), signature.value)
  writer.discard()
  if (!isRight) return { refused: `the message's signature is not that of ${signer.userName}` }
  return signer
}

/** Where and how a value is to be stored. Times as in StoredData. */
export interface ValueToSign {
  readonly resource: ResourceId
  readonly kind: KindId
  readonly storageTime: number
  readonly lifetime: number
  readonly value: StoredValue
}

export function signValue(identity: Identity, to: ValueToSign): StoredData {
  const signer = signerOf(identity.certificate).identity
  const input = writeValueInput(to, signer)
  const value = identity.sign(input.written(0))
  input.discard()
  const signature: Signature = { algorithm: identity.algorithm, identity: signer, value }
  return { storageTime: to.storageTime, lifetime: to.lifetime, value: to.value, signature }
}

/** A value with its place, which its signature covers. */
export interface ValueToVerify {
  readonly resource: ResourceId
  readonly kind: KindId
  readonly data: StoredData
  /** By fingerprint: those of the message that brought it, and others that are known. */
  readonly certificates: ReadonlyMap<string, Certificate>
}

/** Who signed the value. Trust in the certificate and the Kind's access policy are other questions. */
export function verifyValue(
  cryptography: Cryptography,
  { resource, kind, data, certificates }: ValueToVerify,
): Certificate | Refused {
  const signer = findSigner(cryptography, data.signature.identity, certificates)
  if ("refused" in signer) return signer
  const { storageTime, value, signature } = data
  const input = writeValueInput({ resource, kind, storageTime, value }, signature.identity)
  const isRight = cryptography.verify(signer, signature.algorithm, input.written(0), signature.value)
  input.discard()
  if (!isRight) return { refused: `the value's signature is not that of ${signer.userName}` }
  return signer
}

/** The certificate that a signature names, among those at hand; refused where it names several Node-IDs. */
export function findSigner(
  hashes: Hashes,
  identity: SignerIdentity,
  certificates: ReadonlyMap<string, Certificate>,
): Certificate | Refused {
  if (identity.kind === "none") return { refused: "nobody signed it" }
  if (identity.hashAlgorithm !== SHA256)
    return { refused: `hash algorithm ${identity.hashAlgorithm} names its signer, and only SHA-256 is known` }
  const hash = toHex(identity.hash)
  const certificate =
    identity.kind === "cert-hash" ? certificates.get(hash) : findByNodeIdHash(hashes, hash, certificates)
  if (certificate === undefined) return { refused: "its signer's certificate is not at hand" }
  if (certificate.nodeIds.length !== 1)
    return { refused: `its signer's certificate holds ${certificate.nodeIds.length} Node-IDs` }
  return certificate
}

/** By H(Node-ID ‖ certificate). §6.3.4. */
function findByNodeIdHash(
  hashes: Hashes,
  hash: string,
  certificates: ReadonlyMap<string, Certificate>,
): Certificate | undefined {
  for (const certificate of certificates.values()) {
    const named = certificate.nodeIds.map((id) => hashes.sha256(concat(fromHex(id), certificate.der)))
    if (named.some((each) => toHex(each) === hash)) return certificate
  }
  return undefined
}

/**
 * Reads a bucket, by fingerprint. What is no certificate is left out: it can verify nothing, and a
 * signature that needs it is refused.
 */
export function readBucket(
  cryptography: Cryptography,
  bucket: readonly GenericCertificate[],
): ReadonlyMap<string, Certificate> {
  const certificates = new Map<string, Certificate>()
  for (const { der } of bucket.slice(0, LIMITS.reload.certificatesInMessage)) {
    try {
      const certificate = cryptography.readCertificate(der)
      certificates.set(certificate.fingerprint, certificate)
    } catch (problem) {
      if (!(problem instanceof FormatError)) throw problem
    }
  }
  return certificates
}

/** Ours first, then as many of the others as a bucket may hold; receivers may know the rest. */
function fillBucket(own: Uint8Array, others: readonly Uint8Array[]): readonly GenericCertificate[] {
  const bucket: GenericCertificate[] = []
  let room = LIMITS.reload.certificateBytesInMessage
  for (const der of [own, ...others]) {
    room -= der.length + 3
    if (room < 0 || bucket.length === LIMITS.reload.certificatesInMessage) break
    if (bucket.length === 0 || !isSameCertificate(der, own)) bucket.push({ type: "x509", der })
  }
  return bucket
}

/** Compared from behind, where the signatures stand: those of one authority begin alike. */
function isSameCertificate(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  let at = a.length - 1
  while (at >= 0 && a[at] === b[at]) at--
  return at < 0
}

/** What a signature covers: this, MessageContents, and SignerIdentity. §6.3.4. */
const MessagePlace = struct({ overlay: u32, transaction: TransactionId })

/**
 * resource_id ‖ kind ‖ storage_time ‖ StoredDataValue ‖ SignerIdentity, the Resource-ID with its
 * length as the presentation language has it. An array's index counts as 0, since an appended entry
 * learns its index from the storing peer. §7.1, §7.4.2.2.
 */
function writeValueInput(to: Omit<ValueToSign, "lifetime">, signer: SignerIdentity): Writer {
  const { value } = to
  const writer = new Writer()
  ValuePlace.write(to, writer)
  storedValue(value.model).write(value.model === "array" ? { ...value, index: 0 } : value, writer)
  SignerIdentity.write(signer, writer)
  return writer
}

const ValuePlace = struct({ resource: ResourceId, kind: KindId, storageTime: u64 })
