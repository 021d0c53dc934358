import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto"
import type { Role } from "../../core/identity/certificate.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import { ROLES_EXTENSION } from "../../core/identity/roles.ts"
import { formatTime } from "../../core/kit/rfc3339.ts"
import { after, before, type Duration, type Instant, minutes } from "../../core/kit/time.ts"
import { SUBJECT_ALTERNATIVE_NAME, writeRoles } from "./certificate-reader.ts"
import {
  contextTag,
  DerTag,
  derBits,
  derContents,
  derObjectIdentifier,
  derSequence,
  derText,
  implicitTag,
  readDer,
  writeDer,
} from "./der.ts"
import { type GeneralName, writeGeneralName } from "./general-name.ts"

// Making certificates (RFC 5280). Written here and not by a library, because those that were tried
// cannot encode an object identifier under 2.25, and one certificate is a page of DER.

const DAY = minutes(24 * 60)
/** Clocks differ: what is issued is valid for those that are slow, too; by no more than a tenth of its life. */
const BACKDATED = minutes(60)
const backdated = (now: Instant, life: Duration): Instant =>
  before(now, Math.min(BACKDATED, life / 10) as Duration)

export const ROOT_LIFE = (3_650 * DAY) as Duration
export const NODE_LIFE = (90 * DAY) as Duration

const ECDSA_WITH_SHA256 = derSequence(derObjectIdentifier("1.2.840.10045.4.3.2"))
const COMMON_NAME = derObjectIdentifier("2.5.4.3")

/** Most characters of a common name: ub-common-name. */
const COMMON_NAME_LENGTH = 64

const DIGITAL_SIGNATURE = Uint8Array.of(7, 0x80)
const CERTIFICATE_AND_CRL_SIGN = Uint8Array.of(1, 0x06)
const SERVER_AUTHENTICATION = derObjectIdentifier("1.3.6.1.5.5.7.3.1")
const CLIENT_AUTHENTICATION = derObjectIdentifier("1.3.6.1.5.5.7.3.2")

/** A private key and its certificate, which may sign others. */
export interface Issuer {
  readonly keyPem: string
  readonly certificate: Uint8Array
}

/** A new P-256 private key, PKCS #8 in PEM. */
export const newKey = (): string =>
  generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey

/** SubjectPublicKeyInfo, DER. */
export const publicKeyOf = (keyPem: string): Uint8Array =>
  createPublicKey(keyPem).export({ type: "spki", format: "der" })

export const pemOf = (der: Uint8Array): string => new X509Certificate(der).toString()

/** The certificates of a PEM text, in its order. */
export const dersOf = (pem: string): readonly Uint8Array[] =>
  [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)].map(([, base64]) =>
    Uint8Array.from(Buffer.from(base64!, "base64")),
  )

/** A self-signed root of ten years. */
export function issueRoot(keyPem: string, name: string, now: Instant): Uint8Array {
  const publicKey = publicKeyOf(keyPem)
  return signCertificate(keyPem, {
    issuer: writeName(name),
    subject: writeName(name),
    notBefore: backdated(now, ROOT_LIFE),
    notAfter: after(now, ROOT_LIFE),
    publicKey,
    extensions: [
      writeExtension("2.5.29.19", true, derSequence(derTrue, writeDer(DerTag.integer, Uint8Array.of(0)))),
      writeExtension("2.5.29.15", true, writeDer(DerTag.bitString, CERTIFICATE_AND_CRL_SIGN)),
      writeExtension("2.5.29.14", false, writeDer(DerTag.octetString, keyIdentifier(publicKey))),
    ],
  })
}

export interface NodeNames {
  readonly nodeId: NodeId
  readonly overlay: string
  readonly userName: string
  readonly roles: readonly Role[]
}

/** RFC 6940 §11.3: empty subject; Node-ID and user name in the SubjectAltName, which holds nothing else. */
export function issueNodeCertificate(
  issuer: Issuer,
  publicKey: Uint8Array,
  { nodeId, overlay, userName, roles }: NodeNames,
  now: Instant,
  life: Duration,
): Uint8Array {
  const names: readonly GeneralName[] = [
    { type: "uri", value: `reload://0110${nodeId}@${overlay}/` },
    { type: "email", value: userName },
  ]
  return issueLeaf(issuer, publicKey, undefined, now, life, [
    writeExtension("2.5.29.37", false, derSequence(SERVER_AUTHENTICATION, CLIENT_AUTHENTICATION)),
    // Critical, since the subject is empty. RFC 5280 §4.2.1.6.
    writeExtension(SUBJECT_ALTERNATIVE_NAME, true, derSequence(...names.map(writeGeneralName))),
    writeExtension(ROLES_EXTENSION, false, writeRoles(roles)),
  ])
}

/** What phones see on the SIPS port. RFC 5922 §7.1: the domain as SIP URI and as DNS name. */
export function issuePhoneCertificate(
  issuer: Issuer,
  publicKey: Uint8Array,
  domain: string,
  names: readonly GeneralName[],
  now: Instant,
  life: Duration,
): Uint8Array {
  return issueLeaf(issuer, publicKey, domain.slice(0, COMMON_NAME_LENGTH), now, life, [
    writeExtension("2.5.29.37", false, derSequence(SERVER_AUTHENTICATION)),
    writeExtension(SUBJECT_ALTERNATIVE_NAME, false, derSequence(...names.map(writeGeneralName))),
  ])
}

function issueLeaf(
  issuer: Issuer,
  publicKey: Uint8Array,
  commonName: string | undefined,
  now: Instant,
  life: Duration,
  extensions: readonly Uint8Array[],
): Uint8Array {
  const root = new X509Certificate(issuer.certificate)
  const issuerKey = root.publicKey.export({ type: "spki", format: "der" })
  return signCertificate(issuer.keyPem, {
    issuer: subjectOf(issuer.certificate),
    subject: commonName === undefined ? derSequence() : writeName(commonName),
    notBefore: backdated(now, life),
    notAfter: Math.min(after(now, life), root.validToDate.getTime()) as Instant,
    publicKey,
    extensions: [
      writeExtension("2.5.29.19", true, derSequence()),
      writeExtension("2.5.29.15", true, writeDer(DerTag.bitString, DIGITAL_SIGNATURE)),
      writeExtension("2.5.29.35", false, derSequence(writeDer(implicitTag(0), keyIdentifier(issuerKey)))),
      ...extensions,
    ],
  })
}

interface ToBeSigned {
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBefore: Instant
  readonly notAfter: Instant
  readonly publicKey: Uint8Array
  readonly extensions: readonly Uint8Array[]
}

/** RFC 5280 §4.1. */
function signCertificate(keyPem: string, fields: ToBeSigned): Uint8Array {
  const signed = derSequence(
    writeDer(contextTag(0), writeDer(DerTag.integer, Uint8Array.of(2))),
    writeDer(DerTag.integer, newSerial()),
    ECDSA_WITH_SHA256,
    fields.issuer,
    derSequence(writeTime(fields.notBefore), writeTime(fields.notAfter)),
    fields.subject,
    fields.publicKey,
    writeDer(contextTag(3), derSequence(...fields.extensions)),
  )
  return Uint8Array.from(signStructure(createPrivateKey(keyPem), signed))
}

/** `signed`, the algorithm and the signature: the frame of certificates and of requests for them. */
export function signStructure(key: KeyObject, signed: Uint8Array): Uint8Array {
  return derSequence(signed, ECDSA_WITH_SHA256, derBits(sign("sha256", signed, { key, dsaEncoding: "der" })))
}

export const writeExtension = (identifier: string, critical: boolean, value: Uint8Array): Uint8Array =>
  derSequence(
    derObjectIdentifier(identifier),
    ...(critical ? [derTrue] : []),
    writeDer(DerTag.octetString, value),
  )

const derTrue = writeDer(DerTag.boolean, Uint8Array.of(0xff))

const writeName = (commonName: string): Uint8Array =>
  derSequence(writeDer(DerTag.set, derSequence(COMMON_NAME, derText(commonName))))

function subjectOf(certificate: Uint8Array): Uint8Array {
  const [signed] = derContents(readDer(certificate)[0], DerTag.sequence, "certificate")
  return derContents(signed, DerTag.sequence, "signed part of the certificate")[5]!.whole
}

/** UTCTime through the year 2049, then GeneralizedTime. RFC 5280 §4.1.2.5. */
function writeTime(instant: Instant): Uint8Array {
  const digits = formatTime(instant).replaceAll(/[-:T]/g, "")
  return digits < "2050"
    ? writeDer(DerTag.utcTime, Buffer.from(digits.slice(2)))
    : writeDer(DerTag.generalizedTime, Buffer.from(digits))
}

/** SHA-1 of the key's bits. RFC 5280 §4.2.1.2, method 1. */
function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  const [, bits] = derContents(readDer(publicKey)[0], DerTag.sequence, "public key")
  return hash("sha1", bits!.content.subarray(1), "buffer")
}

/** 16 octets that DER reads as a positive number. RFC 5280 §4.1.2.2. */
function newSerial(): Uint8Array {
  const octets = randomBytes(16)
  octets[0] = (octets[0]! & 0x7f) | 0x40
  return octets
}
