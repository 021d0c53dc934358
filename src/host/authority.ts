import { randomBytes } from "node:crypto"
import { join } from "node:path"
import type { Cryptography, Identity, Role } from "../core/identity/certificate.ts"
import { type NodeId, parseNodeId } from "../core/identity/node-id.ts"
import { FormatError } from "../core/kit/errors.ts"
import type { Instant } from "../core/kit/time.ts"
import { loadIdentity } from "./cryptography.ts"
import { makePrivateDirectory, readIfPresent, writePrivateFile } from "./files.ts"
import { type GeneralName, hostName } from "./general-name.ts"
import {
  dersOf,
  type Issuer,
  issueNodeCertificate,
  issuePhoneCertificate,
  issueRoot,
  NODE_LIFE,
  newKey,
  pemOf,
  publicKeyOf,
  ROOT_LIFE,
} from "./issuing.ts"
import { placeNode } from "./placement.ts"
import { readSigningRequest } from "./signing-request.ts"

/** Who has been admitted. Kept for good: Node-IDs are not given twice, nor an invite's last use. */
interface Admission {
  readonly nodeId: NodeId
  /** SHA-256 of the public key: who comes back with it is the same node. */
  readonly key: string
  readonly roles: readonly Role[]
  /** Identifiers of the invites that it used: none for the overlay's first node. */
  readonly invites: readonly string[]
  /** End of its latest certificate. */
  readonly notAfter: Instant
}

export interface NodeAdmission {
  /** PKCS #10, DER. */
  readonly request: Uint8Array
  readonly roles: readonly Role[]
  readonly invite?: { readonly id: string; readonly uses: number }
  readonly now: Instant
}

export type Admitted =
  | { readonly kind: "issued"; readonly certificate: Uint8Array; readonly nodeId: NodeId }
  | { readonly kind: "used-up" }
  /** RFC 6940 §11.3: bad_CSR. */
  | { readonly kind: "bad-request"; readonly cause: string }

/** The overlay's CA: its root key, the key that signs configurations, and who was admitted. */
export interface Authority {
  readonly rootCertificate: Uint8Array
  /** Signs configuration documents and Kinds, under a Node-ID of its own. RFC 6940 §11.1. */
  readonly signer: Identity
  /**
   * Issues a certificate for 90 days, and says so only when the admission is on disk. A key that
   * was admitted before gets its Node-ID again, and with the same invite costs no further use.
   */
  admit(admission: NodeAdmission): Promise<Admitted>
  /** For the SIPS port, 90 days. Throws FormatError for a request that cannot be read. */
  issuePhone(request: Uint8Array, names: PhoneNames, now: Instant): Uint8Array
}

/** What phones call a node: the SIP domain, and addresses or host names of this node. */
export interface PhoneNames {
  readonly domain: string
  readonly addresses: readonly string[]
}

const STORE_VERSION = 1

const paths = (directory: string) => ({
  rootKey: join(directory, "root.key"),
  root: join(directory, "root.crt"),
  signerKey: join(directory, "signer.key"),
  signer: join(directory, "signer.crt"),
  nodes: join(directory, "nodes.json"),
})

/** Makes a new CA in `directory`. */
export async function createAuthority(
  directory: string,
  overlay: string,
  cryptography: Cryptography,
  now: Instant,
): Promise<Authority> {
  await makePrivateDirectory(directory)
  const files = paths(directory)
  const root: Issuer = await newIssuer(overlay, now)
  const signerKey = newKey()
  const names = { nodeId: drawNodeId(), overlay, userName: `configuration@${overlay}`, roles: [] }
  const signer = issueNodeCertificate(root, publicKeyOf(signerKey), names, now, ROOT_LIFE)
  await writePrivateFile(files.rootKey, root.keyPem)
  await writePrivateFile(files.root, pemOf(root.certificate))
  await writePrivateFile(files.signerKey, signerKey)
  await writePrivateFile(files.signer, pemOf(signer))
  await writePrivateFile(files.nodes, printAdmissions([]))
  return authorityOf(files.nodes, overlay, root, loadIdentity(signerKey, signer, cryptography), [])
}

/** The CA in `directory`; undefined where there is none. Throws FormatError where it is not whole. */
export async function openAuthority(
  directory: string,
  overlay: string,
  cryptography: Cryptography,
): Promise<Authority | undefined> {
  const files = paths(directory)
  const rootKey = await readIfPresent(files.rootKey)
  if (rootKey === undefined) return undefined
  const required = async (path: string): Promise<string> => {
    const text = await readIfPresent(path)
    if (text === undefined) throw new FormatError(`the CA's file ${path} is missing`)
    return text
  }
  const [root] = dersOf(await required(files.root))
  const [signer] = dersOf(await required(files.signer))
  if (root === undefined || signer === undefined) throw new FormatError(`${directory} holds no certificates`)
  const identity = loadIdentity(await required(files.signerKey), signer, cryptography)
  const admissions = parseAdmissions(await required(files.nodes), files.nodes)
  return authorityOf(files.nodes, overlay, { keyPem: rootKey, certificate: root }, identity, admissions)
}

async function newIssuer(overlay: string, now: Instant): Promise<Issuer> {
  const keyPem = newKey()
  return { keyPem, certificate: issueRoot(keyPem, `Carillon CA of ${overlay}`.slice(0, 64), now) }
}

function authorityOf(
  store: string,
  overlay: string,
  root: Issuer,
  signer: Identity,
  stored: readonly Admission[],
): Authority {
  let admissions = stored
  let last: Promise<unknown> = Promise.resolve()

  async function admit({ request, roles, invite, now }: NodeAdmission): Promise<Admitted> {
    const read = tryRead(request)
    if (typeof read === "string") return { kind: "bad-request", cause: read }
    const before = admissions.find((each) => each.key === read.keyFingerprint)
    const invites = new Set(before?.invites)
    if (invite !== undefined && !invites.has(invite.id)) {
      const used = admissions.filter((each) => each.invites.includes(invite.id))
      if (used.length >= invite.uses) return { kind: "used-up" }
      invites.add(invite.id)
    }
    const living = admissions.filter((each) => each.notAfter > now).map((each) => each.nodeId)
    const nodeId = before?.nodeId ?? placeNode(living, drawNodeId)
    const names = { nodeId, overlay, userName: nodeName(nodeId, overlay), roles }
    const certificate = issueNodeCertificate(root, read.publicKey, names, now, NODE_LIFE)
    const fresh: Admission = {
      nodeId,
      key: read.keyFingerprint,
      roles,
      invites: [...invites],
      notAfter: (now + NODE_LIFE) as Instant,
    }
    const next = [...admissions.filter((each) => each !== before), fresh]
    await writePrivateFile(store, printAdmissions(next))
    admissions = next
    return { kind: "issued", certificate, nodeId }
  }

  return {
    rootCertificate: root.certificate,
    signer,
    admit(admission) {
      // One after the other, so that two who come at once cannot share an invite's last use.
      const turn = last.then(() => admit(admission))
      last = turn.catch(() => undefined)
      return turn
    },
    issuePhone(request, { domain, addresses }, now) {
      const { publicKey } = readSigningRequest(request)
      const names: readonly GeneralName[] = [
        { type: "uri", value: `sip:${domain.includes(":") ? `[${domain}]` : domain}` },
        ...new Map([domain, ...addresses].map((each) => [each, hostName(each)])).values(),
      ]
      return issuePhoneCertificate(root, publicKey, domain, names, now)
    },
  }
}

/** A node's only name; reserved, never an AOR. */
const nodeName = (nodeId: NodeId, overlay: string): string => `node-${nodeId}@${overlay}`

const drawNodeId = (): NodeId => parseNodeId(randomBytes(16).toString("hex"))

function tryRead(request: Uint8Array) {
  try {
    return readSigningRequest(request)
  } catch (cause) {
    if (cause instanceof FormatError) return cause.message
    throw cause
  }
}

const printAdmissions = (nodes: readonly Admission[]): string =>
  `${JSON.stringify({ version: STORE_VERSION, nodes }, undefined, 1)}\n`

function parseAdmissions(text: string, path: string): readonly Admission[] {
  try {
    const { version, nodes } = JSON.parse(text) as { version: unknown; nodes: readonly Admission[] }
    if (version === STORE_VERSION && Array.isArray(nodes)) return nodes
  } catch (cause) {
    throw new FormatError(`the CA's file ${path} is not readable JSON`, { cause })
  }
  throw new FormatError(`the CA's file ${path} is not of version ${STORE_VERSION}: update this node`)
}
