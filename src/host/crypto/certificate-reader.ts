import type { Certificate, Role } from "../../core/identity/certificate.ts"
import { type NodeId, parseNodeId } from "../../core/identity/node-id.ts"
import { ROLES_EXTENSION } from "../../core/identity/roles.ts"
import { FormatError } from "../../core/kit/errors.ts"
import type { Instant } from "../../core/kit/time.ts"
import {
  contextTag,
  type DerElement,
  DerTag,
  derContent,
  derContents,
  derSequence,
  derText,
  implicitTag,
  readDer,
  readObjectIdentifier,
  writeDer,
} from "./der.ts"

// What RFC 6940 §11.3 puts into a node's certificate, read straight from its DER: the text that
// OpenSSL makes of a SubjectAltName is ambiguous, and it does not show private extensions.

export const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
const RFC822_NAME = implicitTag(1)
const URI = implicitTag(6)

/** `reload://` destination `@` overlay `/`, where the destination is one node: 01, length 16, Node-ID. §14.15. */
const RELOAD_URI = /^reload:\/\/0110([0-9a-f]{32})@([^/@\s]+)\/?$/i

const ROLES_VERSION = 1

export type CertificateNames = Pick<
  Certificate,
  "nodeIds" | "overlay" | "userName" | "roles" | "notBefore" | "notAfter"
>

/** Throws FormatError for what is no certificate of a RELOAD node. */
export function readCertificateNames(der: Uint8Array): CertificateNames {
  const [certificate, ...behind] = readDer(der)
  if (behind.length > 0) throw new FormatError("bytes follow the certificate")
  const [signed] = derContents(certificate, DerTag.sequence, "outermost sequence of the certificate")
  const fields = derContents(signed, DerTag.sequence, "signed part of the certificate")
  // version [0], serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, …
  const [version, , , , validity, subject] = fields
  if (version?.tag !== contextTag(0)) throw new FormatError("the certificate is not of X.509 version 3")
  if (derContent(subject, DerTag.sequence, "subject of the certificate").length > 0) {
    throw new FormatError("the certificate names a subject, which a RELOAD certificate leaves empty")
  }
  const [notBefore, notAfter] = derContents(validity, DerTag.sequence, "validity of the certificate")
  const extensions = readExtensions(fields.find(({ tag }) => tag === contextTag(3)))
  const names = extensions.get(SUBJECT_ALTERNATIVE_NAME)
  if (names === undefined) throw new FormatError("the certificate has no SubjectAltName")
  const roles = extensions.get(ROLES_EXTENSION)
  return {
    ...readNames(names),
    roles: roles === undefined ? [] : readRoles(roles),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
  }
}

/** The value of the private extension that lists roles. See ROLES_EXTENSION. */
export const writeRoles = (roles: readonly Role[]): Uint8Array =>
  derSequence(writeDer(DerTag.integer, Uint8Array.of(ROLES_VERSION)), ...roles.map(derText))

function readRoles(value: Uint8Array): readonly Role[] {
  const [version, ...roles] = derContents(readDer(value)[0], DerTag.sequence, "list of roles")
  // A later version may say more than we can honour: then its node has no role with us.
  if (derContent(version, DerTag.integer, "version of roles")[0] !== ROLES_VERSION) return []
  return roles.map((role) => Buffer.from(derContent(role, DerTag.utf8String, "role")).toString("utf8"))
}

function readExtensions(element: DerElement | undefined): ReadonlyMap<string, Uint8Array> {
  const extensions = new Map<string, Uint8Array>()
  if (element === undefined) return extensions
  for (const extension of derContents(readDer(element.content)[0], DerTag.sequence, "extensions")) {
    const parts = derContents(extension, DerTag.sequence, "extension")
    const identifier = readObjectIdentifier(
      derContent(parts[0], DerTag.objectIdentifier, "extension's identifier"),
    )
    if (extensions.has(identifier)) throw new FormatError(`the certificate has two extensions ${identifier}`)
    extensions.set(identifier, derContent(parts.at(-1), DerTag.octetString, "extension's value"))
  }
  return extensions
}

function readNames(value: Uint8Array): Pick<Certificate, "nodeIds" | "overlay" | "userName"> {
  const nodeIds: NodeId[] = []
  const overlays = new Set<string>()
  const userNames: string[] = []
  for (const { tag, content } of derContents(readDer(value)[0], DerTag.sequence, "SubjectAltName")) {
    const text = Buffer.from(content).toString("latin1")
    if (tag === RFC822_NAME) userNames.push(text)
    else if (tag === URI) {
      const [, nodeId, overlay] = RELOAD_URI.exec(text) ?? []
      if (nodeId === undefined || overlay === undefined) {
        throw new FormatError(`the certificate names "${text}", which is no RELOAD URI of one node`)
      }
      nodeIds.push(parseNodeId(nodeId.toLowerCase()))
      overlays.add(overlay)
    } else throw new FormatError("the SubjectAltName holds more than RELOAD URIs and a user name")
  }
  const [userName] = userNames
  if (userName === undefined || userNames.length > 1 || !/^[\x21-\x7e]+$/.test(userName)) {
    throw new FormatError("the SubjectAltName does not hold exactly one user name")
  }
  const [overlay] = overlays
  if (overlay === undefined || overlays.size > 1) {
    throw new FormatError("the SubjectAltName does not name one overlay")
  }
  return { nodeIds, overlay, userName }
}

/** RFC 5280 §4.1.2.5: UTCTime of the years 1950 to 2049, else GeneralizedTime; both to the second, in UTC. */
function readTime(element: DerElement | undefined): Instant {
  const text = Buffer.from(element?.content ?? []).toString("latin1")
  const century = element?.tag !== DerTag.utcTime ? "" : Number(text.slice(0, 2)) < 50 ? "20" : "19"
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text) ?? []
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(time)) throw new FormatError(`the certificate's validity has the time "${text}"`)
  return time as Instant
}
