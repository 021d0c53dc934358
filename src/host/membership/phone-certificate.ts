import { X509Certificate } from "node:crypto"
import type { Address } from "../../core/kit/address.ts"
import { ipBytes } from "../../core/kit/ip.ts"
import type { Instant } from "../../core/kit/time.ts"
import type { Authority, PhoneNames } from "../authority/authority.ts"
import { hostName } from "../crypto/general-name.ts"
import { newKey, pemOf } from "../crypto/issuing.ts"
import { createSigningRequest } from "../crypto/signing-request.ts"
import { requestPhoneCertificate } from "../enrolment/enrolment-client.ts"
import type { EnrolmentTrust } from "../enrolment/enrolment-https.ts"
import { readIfPresent, writePrivateFile } from "../kit/files.ts"
import type { TlsMaterial } from "../kit/interface.ts"
import { MembershipError } from "../kit/membership-error.ts"
import type { MembershipFiles } from "./membership-files.ts"

interface PhoneIssuing {
  /** Undefined: ask the enrolment nodes. */
  readonly authority: Authority | undefined
  readonly root: Uint8Array
  /** What we show to enrolment nodes. */
  readonly member: TlsMaterial
  readonly addresses: readonly Address[]
  readonly trust: EnrolmentTrust
}

/** What phones see on the SIPS port: from disk while it will do, otherwise a new one, kept on disk. */
export async function phoneMaterial(
  files: MembershipFiles,
  names: PhoneNames,
  issuing: PhoneIssuing,
): Promise<TlsMaterial> {
  const stored = await readStored(files)
  if (stored !== undefined && covers(stored, names) && isYoung(stored, issuing.trust.now)) return stored
  const key = stored?.key ?? newKey()
  try {
    const leaf = await issue(key, names, issuing)
    const certificate = pemOf(leaf) + pemOf(issuing.root)
    await writePrivateFile(files.phoneKey, key)
    await writePrivateFile(files.phoneCertificate, certificate)
    return { certificate, key }
  } catch (cause) {
    // Enrolment is needed to admit and renew, never to run: an old certificate is better than none.
    if (stored !== undefined && cause instanceof MembershipError) return stored
    throw cause
  }
}

async function issue(key: string, names: PhoneNames, issuing: PhoneIssuing): Promise<Uint8Array> {
  const { authority, addresses, trust, member } = issuing
  if (authority === undefined) return requestPhoneCertificate(addresses, trust, member, key, names)
  return authority.issuePhone(createSigningRequest(key), names, trust.now)
}

async function readStored(files: MembershipFiles): Promise<TlsMaterial | undefined> {
  const certificate = await readIfPresent(files.phoneCertificate)
  const key = await readIfPresent(files.phoneKey)
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

function covers({ certificate }: TlsMaterial, { domain, addresses }: PhoneNames): boolean {
  const leaf = new X509Certificate(certificate)
  return [domain, ...addresses].every((name) =>
    ipBytes(name) === undefined ? leaf.checkHost(name) : leaf.checkIP(hostName(name).value),
  )
}

/** Certificates are renewed at two thirds of their life. `certificate`: the chain, leaf first. */
export function isYoung({ certificate }: Pick<TlsMaterial, "certificate">, now: Instant): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()]
  return now >= from && now < from + ((to - from) * 2) / 3
}
