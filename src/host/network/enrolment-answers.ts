import { toUtf8 } from "../../core/kit/bytes.ts"
import { FormatError } from "../../core/kit/errors.ts"
import type { EnrolmentHttpResponse } from "../kit/interface.ts"
import type { MembershipProblem } from "../kit/membership-error.ts"

// What enrolment is asked for, and how it answers: shared by both sides of it.

/** RFC 6940 §11.2 and §11.3; then steps of our own, for which a node shows its certificate in TLS. */
export const ENROLMENT_PATHS = {
  configuration: "/.well-known/reload-config",
  enrol: "/enroll",
  fabricKeys: "/fabric-keys",
  phoneCertificate: "/phone-certificate",
  renew: "/renew",
  authority: "/authority",
  revoke: "/revoke",
  records: "/records",
} as const

export const CERTIFICATE_TYPE = "application/pkix-cert"
export const REQUEST_TYPE = "application/pkcs10"

/** Says more than RFC 6940's token: a MembershipProblem. Others' clients pass over it. */
export const PROBLEM_HEADER = "carillon-problem"

/** RFC 6940 §11.3. */
export type Refusal =
  | "failed_authentication"
  | "username_not_available"
  | "Node-IDs_not_available"
  | "bad_CSR"

export const ok = (type: string, body: Uint8Array): EnrolmentHttpResponse => ({
  status: 200,
  headers: { "content-type": type },
  body,
})

export const plain = (status: number, token: string): EnrolmentHttpResponse => ({
  status,
  headers: { "content-type": "text/plain" },
  body: toUtf8(token),
})

export function refuse(token: Refusal, problem?: MembershipProblem): EnrolmentHttpResponse {
  const { headers, ...rest } = plain(403, token)
  return { ...rest, headers: problem === undefined ? headers : { ...headers, [PROBLEM_HEADER]: problem } }
}

/** What was read of something that came from outside; undefined where it is nonsense. */
export function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof FormatError) return undefined
    throw cause
  }
}
