import type { Certificate, Role } from "./certificate.ts"

// What a certificate of the fabric's CA allows its node to do.

/** Writes its own entries of bindings, and takes registrations. */
export const REGISTRAR: Role = "registrar"
/** Routes requests of phones, and of other nodes. */
export const PROXY: Role = "proxy"
/** Writes subscribers. */
export const PROVISIONER: Role = "provisioner"
/** Admits nodes: the only role whose node may be trusted with an invite. */
export const ENROLMENT: Role = "enrolment"

/** What a node of a farm does unless its operator says otherwise. */
export const DEFAULT_ROLES: readonly Role[] = [REGISTRAR, PROXY, PROVISIONER]

/** Roles that cannot work without the fabric keys: they check nonces and tokens, or open sealed secrets. */
export const FABRIC_KEY_ROLES: readonly Role[] = [REGISTRAR, PROXY, PROVISIONER, ENROLMENT]

/**
 * The private, non-critical extension that lists a certificate's roles: an arc under 2.25, which
 * is a UUID as a number and so needs no registration (ITU-T X.667).
 * Its value: SEQUENCE { version INTEGER (1), role UTF8String, … }.
 */
export const ROLES_EXTENSION = "2.25.184375233518451554531731426803756089026"

export const hasRole = (certificate: Certificate, role: Role): boolean => certificate.roles.includes(role)

/** Whether `text` can name a role: what operators type and invites carry. */
export const isRoleName = (text: string): boolean => /^[a-z][a-z0-9-]{0,31}$/.test(text)

/**
 * Whether an invite may grant it. Never `enrolment`: any node can issue invites, and only one that
 * holds the CA may be taken for a place where invites are shown.
 */
export const isGrantable = (role: string): boolean => isRoleName(role) && role !== ENROLMENT

/**
 * Where a node stands, as its operator has declared it: what may fail as one. It stands among the roles of the
 * certificate, so whoever has a link to the node knows it, and a node of an earlier version passes it over.
 */
export interface FailureDomain {
  readonly site: string | undefined
  /** Within the site. */
  readonly rack: string | undefined
}

const SITE = "site:"
const RACK = "rack:"

/** What an operator may call a site or a rack: it stands in lists that commas part. */
export const isDomainName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(text)

export const rolesOfDomain = ({ site, rack }: FailureDomain): readonly Role[] => [
  ...(site === undefined ? [] : [SITE + site]),
  ...(rack === undefined ? [] : [RACK + rack]),
]

/** Whether it is no function of the node but says where it stands: nobody needs leave for that. */
export const isDomainRole = (role: Role): boolean =>
  (role.startsWith(SITE) || role.startsWith(RACK)) && isDomainName(role.slice(SITE.length))

/** What the node does, without where it stands. */
export const functionsOf = (roles: readonly Role[]): readonly Role[] =>
  roles.filter((role) => !isDomainRole(role))

export function domainOf({ roles }: Pick<Certificate, "roles">): FailureDomain {
  const named = (prefix: string) => roles.find((role) => role.startsWith(prefix))?.slice(prefix.length)
  return { site: named(SITE), rack: named(RACK) }
}
