import type { NodeId } from "../../core/identity/node-id.ts"
import type { Address } from "../../core/kit/address.ts"
import { fromUtf8, toUtf8 } from "../../core/kit/bytes.ts"
import { FormatError } from "../../core/kit/errors.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import type { AuthoritySecrets } from "../authority/authority.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { MembershipError } from "../kit/membership-error.ts"
import { CERTIFICATE_TYPE, ENROLMENT_PATHS, REQUEST_TYPE } from "../network/enrolment-answers.ts"
import { accepted, firstAnswering } from "./enrolment-client.ts"
import { type EnrolmentTrust, exchange, type HttpsRequest } from "./enrolment-https.ts"
import { parseRecords, unpack } from "./records-text.ts"

// What a node that has been admitted asks of enrolment nodes, and an enrolment node of others.

/** The records of one node, compressed. */
const MOST_RECORD_BYTES = 1_073_741_824

/** Who asks, and whom. */
export interface MemberAsking {
  /** Tried in this order. */
  readonly addresses: readonly Address[]
  readonly trust: EnrolmentTrust
  /** What is shown to them. */
  readonly member: TlsMaterial
}

/** Another certificate, DER, for the key that is ours. */
export const requestRenewal = ({ member, ...asking }: MemberAsking): Promise<Uint8Array> =>
  post(
    { member, ...asking },
    {
      path: ENROLMENT_PATHS.renew,
      headers: { accept: CERTIFICATE_TYPE, "content-type": REQUEST_TYPE },
      body: createSigningRequest(member.key),
    },
  )

/** The CA with its keys. */
export async function requestAuthority(asking: MemberAsking): Promise<AuthoritySecrets> {
  const body = await post(asking, {
    path: ENROLMENT_PATHS.authority,
    headers: { accept: "application/json" },
  })
  const secrets = parseSecrets(fromUtf8(body) ?? "")
  if (secrets === undefined)
    throw new MembershipError(
      "untrusted",
      "the CA that an enrolment node gave away cannot be read: compare versions",
    )
  return secrets
}

/** Has a node's certificate taken back. */
export async function requestRevocation(asking: MemberAsking, node: NodeId): Promise<void> {
  await post(asking, {
    path: ENROLMENT_PATHS.revoke,
    headers: { "content-type": "text/plain" },
    body: toUtf8(node),
  })
}

/** All that the node at the one address holds. */
export async function requestRecords(asking: MemberAsking): Promise<readonly StorageChange[]> {
  const body = await post(asking, {
    path: ENROLMENT_PATHS.records,
    headers: { accept: "application/gzip" },
    mostBytes: MOST_RECORD_BYTES,
    expects: "any-node",
  })
  return parseRecords(unpack(body))
}

function post(
  { addresses, trust, member }: MemberAsking,
  request: Pick<HttpsRequest, "path" | "headers"> & Partial<HttpsRequest>,
): Promise<Uint8Array> {
  return firstAnswering(addresses, async (address) => {
    const response = await exchange(address, trust, {
      body: new Uint8Array(),
      ...request,
      method: "POST",
      client: member,
    })
    return accepted(response, address, trust.overlay).body
  })
}

const PARTS = ["rootKey", "root", "signerKey", "signer", "nodes"] as const

/** As enrolment hands it out, and a backup holds it. */
export function parseSecrets(text: string): AuthoritySecrets | undefined {
  try {
    const { version, ...parts } = JSON.parse(text) as { version: unknown } & AuthoritySecrets
    const isWhole = version === 1 && PARTS.every((part) => typeof parts[part] === "string")
    return isWhole ? parts : undefined
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof FormatError) return undefined
    throw cause
  }
}
