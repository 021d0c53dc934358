import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import { FormatError } from "../../core/kit/errors.ts"
import { SUBJECT_ALTERNATIVE_NAME } from "./certificate-reader.ts"
import { sha256Hex, verifiesSha256 } from "./cryptography.ts"
import {
  contextTag,
  type DerElement,
  DerTag,
  derContent,
  derContents,
  derObjectIdentifier,
  derSequence,
  readDer,
  readObjectIdentifier,
  writeDer,
} from "./der.ts"
import { type GeneralName, readGeneralName, writeGeneralName } from "./general-name.ts"
import { publicKeyOf, signStructure, writeExtension } from "./issuing.ts"

// PKCS #10, RFC 2986: requests for certificates, made and read.

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
const RSA_FROM_BITS = 2_048

/** Signature algorithms of requests, by the type of key that they need; all with SHA-256. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  "1.2.840.10045.4.3.2": "ec",
  "1.2.840.113549.1.1.11": "rsa",
}

/** A request whose signature is good: proof that whoever asks holds the key. */
export interface SigningRequest {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /** SHA-256 over it, hexadecimal. */
  readonly keyFingerprint: string
  /** The SubjectAltNames asked for. */
  readonly names: readonly GeneralName[]
}

/** DER, with an empty subject. The Node-ID and the name of a node are the server's to choose. */
export function createSigningRequest(keyPem: string, names: readonly GeneralName[] = []): Uint8Array {
  const alternatives = writeExtension(
    SUBJECT_ALTERNATIVE_NAME,
    false,
    derSequence(...names.map(writeGeneralName)),
  )
  const attribute = derSequence(
    derObjectIdentifier(EXTENSION_REQUEST),
    writeDer(DerTag.set, derSequence(alternatives)),
  )
  const information = derSequence(
    writeDer(DerTag.integer, Uint8Array.of(0)),
    derSequence(),
    publicKeyOf(keyPem),
    writeDer(contextTag(0), ...(names.length > 0 ? [attribute] : [])),
  )
  return Uint8Array.from(signStructure(createPrivateKey(keyPem), information))
}

/** Throws FormatError for what is no request, is not signed by its own key, or has a weak one. */
export function readSigningRequest(der: Uint8Array): SigningRequest {
  const [request, ...behind] = readDer(der)
  if (behind.length > 0) throw new FormatError("bytes follow the certificate signing request")
  const [information, algorithm, signature] = derContents(request, DerTag.sequence, "signing request")
  const fields = derContents(information, DerTag.sequence, "request's information")
  const [, , publicKey, attributes] = fields
  if (information === undefined || publicKey === undefined)
    throw new FormatError("the signing request is cut short")
  const key = readKey(publicKey)
  const bits = derContent(signature, DerTag.bitString, "request's signature")
  if (ALGORITHMS[readAlgorithm(algorithm)] !== key.asymmetricKeyType) {
    throw new FormatError("the request is not signed with SHA-256 and its own key's algorithm")
  }
  if (bits[0] !== 0 || !verifiesSha256(key, information.whole, bits.subarray(1))) {
    throw new FormatError("the request is not signed by its own key")
  }
  return {
    publicKey: Uint8Array.from(publicKey.whole),
    keyFingerprint: sha256Hex(publicKey.whole),
    names: readNames(attributes),
  }
}

function readKey({ whole }: DerElement): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(whole), format: "der", type: "spki" })
    const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
    if (namedCurve === "prime256v1" || (modulusLength ?? 0) >= RSA_FROM_BITS) return key
  } catch (cause) {
    throw new FormatError("the request's public key cannot be read", { cause })
  }
  throw new FormatError(`the request's key is neither P-256 nor RSA from ${RSA_FROM_BITS} bits`)
}

function readAlgorithm(element: DerElement | undefined): string {
  const [identifier] = derContents(element, DerTag.sequence, "request's algorithm")
  return readObjectIdentifier(derContent(identifier, DerTag.objectIdentifier, "request's algorithm"))
}

function readNames(attributes: DerElement | undefined): readonly GeneralName[] {
  if (attributes === undefined) return []
  for (const attribute of derContents(attributes, contextTag(0), "request's attributes")) {
    const [identifier, values] = derContents(attribute, DerTag.sequence, "request's attribute")
    const name = readObjectIdentifier(derContent(identifier, DerTag.objectIdentifier, "attribute's type"))
    if (name !== EXTENSION_REQUEST) continue
    const [extensions] = derContents(values, DerTag.set, "extension request")
    for (const extension of derContents(extensions, DerTag.sequence, "requested extensions")) {
      const [type, ...rest] = derContents(extension, DerTag.sequence, "requested extension")
      const extensionName = readObjectIdentifier(
        derContent(type, DerTag.objectIdentifier, "extension's type"),
      )
      if (extensionName !== SUBJECT_ALTERNATIVE_NAME) continue
      const [names] = readDer(derContent(rest.at(-1), DerTag.octetString, "extension's value"))
      return derContents(names, DerTag.sequence, "SubjectAltName")
        .map(readGeneralName)
        .filter((each) => each !== undefined)
    }
  }
  return []
}
