import { concat, equalBytes, fromUtf8, toUtf8 } from "../kit/bytes.ts"
import type { Hashes } from "../kit/crypto.ts"
import { FormatError } from "../kit/errors.ts"
import { fromHex, toHex } from "../kit/hex.ts"
import type { Instant } from "../kit/time.ts"
import type { AlgorithmNumbers, Certificate, Cryptography, Identity, Role } from "./certificate.ts"
import { type NodeId, parseNodeId } from "./node-id.ts"

// Cryptography of the invented world: the simulator's, and that of tests. It keeps the shape of the
// real thing, and none of its secrecy: certificates are JSON, and each carries the very key that signs
// in its name. So a million nodes can be simulated, every run alike, and a signature is key and bytes stirred
// together.

const ECDSA_SHA256: AlgorithmNumbers = { hash: 4, signature: 3 }

/** What stands in a fake certificate. Keys and signatures in hexadecimal. */
interface FakeContents {
  readonly nodeIds: readonly string[]
  readonly userName: string
  readonly overlay: string
  readonly roles: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
  readonly key: string
}

interface FakeCertificate extends Certificate {
  readonly key: Uint8Array
  /** What the authority signed, and its signature. */
  readonly contents: Uint8Array
  readonly signature: Uint8Array
}

export class FakeCryptography implements Cryptography {
  readonly #hashes: Hashes
  readonly #certificates = new Map<string, FakeCertificate>()
  #sealed = 0

  /** Real hashes: what they are for cannot be faked. */
  constructor(hashes: Hashes) {
    this.#hashes = hashes
  }

  sha1(bytes: Uint8Array): Uint8Array {
    return this.#hashes.sha1(bytes)
  }

  sha256(bytes: Uint8Array): Uint8Array {
    return this.#hashes.sha256(bytes)
  }

  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
    return this.#hashes.hmacSha256(key, bytes)
  }

  digestHex(algorithm: "md5" | "sha256", latin1: string): string {
    return this.#hashes.digestHex(algorithm, latin1)
  }

  readCertificate(der: Uint8Array): Certificate {
    return this.#read(der)
  }

  isIssuedBy(certificate: Certificate, roots: readonly Uint8Array[]): boolean {
    const { contents, signature } = this.#known(certificate)
    return roots.some((root) => equalBytes(toySignature(rootKey(root), contents), signature))
  }

  verify(
    certificate: Certificate,
    { hash, signature }: AlgorithmNumbers,
    signed: Uint8Array,
    value: Uint8Array,
  ): boolean {
    if (hash !== 4 || (signature !== 1 && signature !== 3)) return false
    return equalBytes(toySignature(this.#known(certificate).key, signed), value)
  }

  seal(key: Uint8Array, plain: Uint8Array, context: string): Uint8Array {
    const nonce = toUtf8(String(this.#sealed++).padStart(NONCE_LENGTH, "0"))
    const tag = this.#tag(key, nonce, plain, context)
    return concat(nonce, tag, this.#mask(key, nonce, plain))
  }

  unseal(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array | undefined {
    const nonce = sealed.subarray(0, NONCE_LENGTH)
    const tag = sealed.subarray(NONCE_LENGTH, NONCE_LENGTH + TAG_LENGTH)
    const plain = this.#mask(key, nonce, sealed.subarray(NONCE_LENGTH + TAG_LENGTH))
    return equalBytes(tag, this.#tag(key, nonce, plain, context)) ? plain : undefined
  }

  #tag(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, context: string): Uint8Array {
    const named = toUtf8(`${context.length} ${context}`)
    return toySignature(key, concat(nonce, named, plain)).subarray(0, TAG_LENGTH)
  }

  #mask(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array): Uint8Array {
    const mask = toySignature(key, nonce)
    return bytes.map((byte, index) => byte ^ mask[index % mask.length]!)
  }

  /** What was read here needs no reading again. */
  #known(certificate: Certificate): FakeCertificate {
    const known = this.#certificates.get(certificate.fingerprint)
    return known === certificate ? known : this.#read(certificate.der)
  }

  #read(der: Uint8Array): FakeCertificate {
    const fingerprint = toHex(this.sha256(der))
    const known = this.#certificates.get(fingerprint)
    if (known) return known
    if (this.#certificates.size >= REMEMBERED) this.#certificates.clear()
    const certificate = { ...parseCertificate(der), fingerprint }
    this.#certificates.set(fingerprint, certificate)
    return certificate
  }
}

const NONCE_LENGTH = 16
const TAG_LENGTH = 16
const REMEMBERED = 65_536

/** What a fake certificate is to say. Without dates it is valid for ever. */
export interface FakeRequest {
  readonly nodeId: NodeId
  readonly roles?: readonly Role[]
  /** Default: `node-…@overlay`, made of the Node-ID. */
  readonly userName?: string
  /** More Node-IDs, for a certificate that RFC 6940 allows and this fabric refuses. */
  readonly otherNodeIds?: readonly NodeId[]
  readonly notBefore?: Instant
  readonly notAfter?: Instant
}

/** A CA of the invented world. Two with the same overlay and different seeds do not trust each other. */
export interface FakeAuthority {
  readonly overlay: string
  /** Its root certificate: what configuration documents list. */
  readonly root: Uint8Array
  issue(request: FakeRequest): Identity
}

export function fakeAuthority(
  cryptography: FakeCryptography,
  { overlay, seed }: { readonly overlay: string; readonly seed: number },
): FakeAuthority {
  const key = cryptography.sha256(toUtf8(`authority ${seed} of ${overlay}`))
  const root = toUtf8(JSON.stringify({ root: overlay, key: toHex(key) }))
  let issued = 0
  return {
    overlay,
    root,
    issue({ nodeId, roles = [], otherNodeIds = [], ...request }) {
      const signingKey = toySignature(key, toUtf8(`key ${issued++} of ${nodeId}`))
      const contents: FakeContents = {
        nodeIds: [nodeId, ...otherNodeIds],
        userName: request.userName ?? `node-${nodeId.slice(0, 8)}@${overlay}`,
        overlay,
        roles,
        notBefore: request.notBefore ?? 0,
        notAfter: request.notAfter ?? Number.MAX_SAFE_INTEGER,
        key: toHex(signingKey),
      }
      const signed = JSON.stringify(contents)
      const signature = toHex(toySignature(key, toUtf8(signed)))
      const certificate = cryptography.readCertificate(toUtf8(JSON.stringify({ signed, signature })))
      const sign = (bytes: Uint8Array) => toySignature(signingKey, bytes)
      return { nodeId, certificate, algorithm: ECDSA_SHA256, sign }
    },
  }
}

/** As many bytes as a hash has. */
const SIGNATURE_WORDS = 8

/**
 * Of other bytes, or under another key, another one. Whoever wants to can forge it, which nobody does in the
 * invented world; and every message there is signed by it, at a fifth of what a hash costs.
 */
function toySignature(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const state = { high: 0x9e3779b9 ^ bytes.length, low: 0x85ebca6b ^ key.length }
  stir(state, key)
  stir(state, bytes)
  const signature = new Uint8Array(4 * SIGNATURE_WORDS)
  const view = new DataView(signature.buffer)
  for (let word = 0; word < SIGNATURE_WORDS; word++) {
    stir(state, key.subarray(word, word + 1))
    view.setInt32(4 * word, state.high ^ (state.high >>> 15))
  }
  return signature
}

/** Each byte changes both halves, and each half the other. */
function stir(state: { high: number; low: number }, bytes: Uint8Array): void {
  let { high, low } = state
  for (let i = 0; i < bytes.length; i++) {
    high = Math.imul(high ^ bytes[i]!, 0x01000193) ^ (low >>> 11)
    low = Math.imul(low + high, 0xc2b2ae35) ^ (high >>> 16)
  }
  state.high = high
  state.low = low
}

function rootKey(root: Uint8Array): Uint8Array {
  return fromHex(textOf(parseObject(root), "key"))
}

function parseCertificate(der: Uint8Array): Omit<FakeCertificate, "fingerprint"> {
  const outer = parseObject(der)
  const contents = toUtf8(textOf(outer, "signed"))
  const inner = parseObject(contents)
  return {
    der: der.slice(), // It may be a window on a message.
    nodeIds: textsOf(inner, "nodeIds").map(parseNodeId),
    userName: textOf(inner, "userName"),
    overlay: textOf(inner, "overlay"),
    roles: textsOf(inner, "roles"),
    notBefore: numberOf(inner, "notBefore") as Instant,
    notAfter: numberOf(inner, "notAfter") as Instant,
    key: fromHex(textOf(inner, "key")),
    contents,
    signature: fromHex(textOf(outer, "signature")),
  }
}

type Fields = Readonly<Record<string, unknown>>

function parseObject(bytes: Uint8Array): Fields {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes) ?? "")
    if (typeof value === "object" && value !== null) return value as Fields
  } catch (problem) {
    if (!(problem instanceof SyntaxError)) throw problem
  }
  throw new FormatError("is no certificate of the invented world")
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== "string") throw new FormatError(`${name} of a fake certificate is no text`)
  return value
}

function textsOf(fields: Fields, name: string): readonly string[] {
  const value = fields[name]
  if (!Array.isArray(value) || value.some((each) => typeof each !== "string"))
    throw new FormatError(`${name} of a fake certificate is no list of texts`)
  return value as readonly string[]
}

function numberOf(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== "number") throw new FormatError(`${name} of a fake certificate is no number`)
  return value
}
