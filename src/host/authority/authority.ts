import { randomBytes } from "node:crypto"
import { join } from "node:path"
import type { Cryptography, Identity, Role } from "../../core/identity/certificate.ts"
import { type NodeId, parseNodeId } from "../../core/identity/node-id.ts"
import { FormatError } from "../../core/kit/errors.ts"
import { after, type Duration, type Instant } from "../../core/kit/time.ts"
import { loadIdentity } from "../crypto/cryptography.ts"
import { type GeneralName, hostName } from "../crypto/general-name.ts"
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
} from "../crypto/issuing.ts"
import { readSigningRequest, type SigningRequest } from "../crypto/signing-request.ts"
import { makePrivateDirectory, readIfPresent, writePrivateFile } from "../kit/files.ts"
import { placeNode } from "./placement.ts"

/** Who has been admitted here. Kept for good: Node-IDs are not given twice, nor an invite's last use. */
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

/** Whether a use of an invite is left for a key, and which Node-ID it has: `node`, or one that it was given before. */
export type CountUse = (use: { readonly key: string; readonly node: NodeId }) => Promise<Counted>

export type Counted =
  | { readonly kind: "counted"; readonly node: NodeId }
  | { readonly kind: "used-up" }
  | { readonly kind: "unavailable"; readonly cause: string }

export interface NodeAdmission {
  /** PKCS #10, DER. */
  readonly request: Uint8Array
  readonly roles: readonly Role[]
  readonly invite?: {
    readonly id: string
    readonly uses: number
    /** Counts in the fabric, for all nodes that enrol; without it, those that were admitted here are counted. */
    readonly count?: CountUse | undefined
  }
  /** Node-IDs that are in use besides those given here. */
  readonly known?: readonly NodeId[]
  readonly now: Instant
}

export type Admitted =
  | { readonly kind: "issued"; readonly certificate: Uint8Array; readonly nodeId: NodeId }
  | Exclude<Counted, { readonly kind: "counted" }>
  /** RFC 6940 §11.3: bad_CSR. */
  | { readonly kind: "bad-request"; readonly cause: string }

/** All that makes a CA, as it goes from one enrolment node to another, and into a backup. PEM. */
export interface AuthoritySecrets {
  readonly rootKey: string
  readonly root: string
  readonly signerKey: string
  readonly signer: string
  /** The text of `nodes.json`. */
  readonly nodes: string
}

/** The overlay's CA: its root key, the key that signs configurations, and who was admitted. */
export interface Authority {
  readonly rootCertificate: Uint8Array
  /** Signs configuration documents and Kinds, under a Node-ID of its own. RFC 6940 §11.1. */
  readonly signer: Identity
  /** How long certificates last that it issues. */
  readonly life: Duration
  /**
   * Issues a certificate, and says so only when the admission is on disk. A key that was admitted before
   * gets its Node-ID again, and with the same invite costs no further use.
   */
  admit(admission: NodeAdmission): Promise<Admitted>
  /** Another certificate for a node that is known: to be judged by the caller. Throws FormatError. */
  renew(request: Uint8Array, nodeId: NodeId, roles: readonly Role[], now: Instant): Promise<Uint8Array>
  /** For the SIPS port. Throws FormatError for a request that cannot be read. */
  issuePhone(request: Uint8Array, names: PhoneNames, now: Instant): Uint8Array
  secrets(): AuthoritySecrets
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
  life: Duration = NODE_LIFE,
): Promise<Authority> {
  const root: Issuer = newIssuer(overlay, now)
  const signerKey = newKey()
  const names = { nodeId: drawNodeId(), overlay, userName: `configuration@${overlay}`, roles: [] }
  const signer = issueNodeCertificate(root, publicKeyOf(signerKey), names, now, ROOT_LIFE)
  await writeAuthority(directory, {
    rootKey: root.keyPem,
    root: pemOf(root.certificate),
    signerKey,
    signer: pemOf(signer),
    nodes: printAdmissions([]),
  })
  const identity = loadIdentity(signerKey, signer, cryptography)
  return new CertificateAuthority(
    paths(directory).nodes,
    overlay,
    root,
    { keyPem: signerKey, identity },
    life,
    [],
  )
}

/** Puts a CA that came from elsewhere into `directory`; `openAuthority` finds it whole or not at all. */
export async function writeAuthority(directory: string, secrets: AuthoritySecrets): Promise<void> {
  await makePrivateDirectory(directory)
  const files = paths(directory)
  await writePrivateFile(files.root, secrets.root)
  await writePrivateFile(files.signerKey, secrets.signerKey)
  await writePrivateFile(files.signer, secrets.signer)
  await writePrivateFile(files.nodes, secrets.nodes)
  // Last, since it is by this file that a CA is there.
  await writePrivateFile(files.rootKey, secrets.rootKey)
}

/** The CA in `directory`; undefined where there is none. Throws FormatError where it is not whole. */
export async function openAuthority(
  directory: string,
  overlay: string,
  cryptography: Cryptography,
  life: Duration = NODE_LIFE,
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
  const signerKey = await required(files.signerKey)
  const identity = loadIdentity(signerKey, signer, cryptography)
  const admissions = parseAdmissions(await required(files.nodes), files.nodes)
  const issuer = { keyPem: rootKey, certificate: root }
  return new CertificateAuthority(
    files.nodes,
    overlay,
    issuer,
    { keyPem: signerKey, identity },
    life,
    admissions,
  )
}

function newIssuer(overlay: string, now: Instant): Issuer {
  const keyPem = newKey()
  return { keyPem, certificate: issueRoot(keyPem, `Carillon CA of ${overlay}`.slice(0, 64), now) }
}

class CertificateAuthority implements Authority {
  readonly signer: Identity
  readonly life: Duration
  readonly #signerKey: string
  readonly #store: string
  readonly #overlay: string
  readonly #root: Issuer
  #admissions: readonly Admission[]
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    store: string,
    overlay: string,
    root: Issuer,
    signer: { readonly keyPem: string; readonly identity: Identity },
    life: Duration,
    stored: readonly Admission[],
  ) {
    this.#store = store
    this.#overlay = overlay
    this.#root = root
    this.#signerKey = signer.keyPem
    this.signer = signer.identity
    this.life = life
    this.#admissions = stored
  }

  get rootCertificate(): Uint8Array {
    return this.#root.certificate
  }

  admit(admission: NodeAdmission): Promise<Admitted> {
    return this.#inTurn(() => this.#admit(admission))
  }

  renew(request: Uint8Array, nodeId: NodeId, roles: readonly Role[], now: Instant): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const read = readSigningRequest(request)
      const before = this.#admissions.find((each) => each.nodeId === nodeId)
      return this.#issue(read, { nodeId, roles, invites: before?.invites ?? [] }, now)
    })
  }

  issuePhone(request: Uint8Array, { domain, addresses }: PhoneNames, now: Instant): Uint8Array {
    const { publicKey } = readSigningRequest(request)
    const names: readonly GeneralName[] = [
      { type: "uri", value: `sip:${domain.includes(":") ? `[${domain}]` : domain}` },
      ...new Map([domain, ...addresses].map((each) => [each, hostName(each)])).values(),
    ]
    return issuePhoneCertificate(this.#root, publicKey, domain, names, now, this.life)
  }

  secrets(): AuthoritySecrets {
    return {
      rootKey: this.#root.keyPem,
      root: pemOf(this.#root.certificate),
      signerKey: this.#signerKey,
      signer: pemOf(this.signer.certificate.der),
      nodes: printAdmissions(this.#admissions),
    }
  }

  async #admit({ request, roles, invite, known = [], now }: NodeAdmission): Promise<Admitted> {
    const read = tryRead(request)
    if (typeof read === "string") return { kind: "bad-request", cause: read }
    const key = read.keyFingerprint
    const before = this.#admissions.find((each) => each.key === key)
    const living = this.#admissions.filter((each) => each.notAfter > now).map(({ nodeId }) => nodeId)
    const node = before?.nodeId ?? placeNode([...new Set([...living, ...known])], drawNodeId)
    const counted = invite && (await (invite.count ?? this.#countHere(invite))({ key, node }))
    if (counted !== undefined && counted.kind !== "counted") return counted
    const nodeId = counted?.node ?? node
    const invites = new Set([...(before?.invites ?? []), ...(invite ? [invite.id] : [])])
    const certificate = await this.#issue(read, { nodeId, roles, invites: [...invites] }, now)
    return { kind: "issued", certificate, nodeId }
  }

  #countHere({ id, uses }: { readonly id: string; readonly uses: number }): CountUse {
    return async ({ key, node }) => {
      const used = this.#admissions.filter(({ invites }) => invites.includes(id))
      const isKnown = used.some((each) => each.key === key)
      return isKnown || used.length < uses ? { kind: "counted", node } : { kind: "used-up" }
    }
  }

  async #issue(
    { publicKey, keyFingerprint: key }: SigningRequest,
    admitted: Pick<Admission, "nodeId" | "roles" | "invites">,
    now: Instant,
  ): Promise<Uint8Array> {
    const { nodeId, roles } = admitted
    const overlay = this.#overlay
    const names = { nodeId, overlay, userName: nodeName(nodeId, overlay), roles }
    const certificate = issueNodeCertificate(this.#root, publicKey, names, now, this.life)
    const others = this.#admissions.filter((each) => each.key !== key && each.nodeId !== nodeId)
    const next = [...others, { ...admitted, key, notAfter: after(now, this.life) }]
    await writePrivateFile(this.#store, printAdmissions(next))
    this.#admissions = next
    return certificate
  }

  /** One after the other, so that two who come at once cannot share an invite's last use. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    return turn
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
