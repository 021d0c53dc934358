import type { Certificate, Role } from "./certificate.ts"

// DESIGN: roles. What a certificate of the fabric's CA allows its node to do.

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
