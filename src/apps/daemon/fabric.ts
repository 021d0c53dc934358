import { DEFAULT_ROLES } from "../../core/identity/roles.ts"
import type { Address } from "../../core/kit/address.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import { createOverlay, joinOverlay, type Membership, openMembership } from "../../host/membership.ts"
import type { UpOptions } from "./options.ts"

/** How this node came to its fabric: it made it, was admitted to it, or has been in it before. */
export type Origin = "created" | "joined" | "returned"

export interface FabricEntry {
  readonly membership: Membership
  readonly origin: Origin
  /** What the operator asked for and does not get, or should know: a sentence each. */
  readonly notes: readonly string[]
}

/** The options and the data directory, or the fabric, do not go together. */
export class FabricMismatch extends CarillonError {
  readonly code = "fabric-mismatch"
}

const DEFAULT_DOMAIN = "localhost"

/**
 * Comes back to the fabric of the data directory, joins by the invite, or makes a new fabric.
 * Throws FabricMismatch, or MembershipError (host), each with one sentence.
 */
export async function enterFabric(
  options: UpOptions,
  advertised: Address,
  aliases: readonly string[],
): Promise<FabricEntry> {
  const known = await openMembership(options.data)
  const entry =
    known === undefined
      ? await enterFirstTime(options, advertised, aliases)
      : await comeBack(known, options, advertised)
  checkDomain(entry.membership, options)
  const { site, rack } = options
  return site === undefined && rack === undefined ? entry : { ...entry, notes: [...entry.notes, UNPLACED] }
}

const UNPLACED = "--site and --rack are ignored: this version does not yet place copies by failure domain"

async function enterFirstTime(
  options: UpOptions,
  advertised: Address,
  aliases: readonly string[],
): Promise<FabricEntry> {
  const { data, join, roles } = options
  if (join !== undefined) {
    const asked = roles === undefined ? {} : { roles }
    const membership = await joinOverlay({ data, invite: join, advertised, ...asked })
    return { membership, origin: "joined", notes: [] }
  }
  const domain = options.domain ?? DEFAULT_DOMAIN
  const membership = await createOverlay({
    data,
    overlay: domain,
    domain,
    advertised,
    roles: roles ?? DEFAULT_ROLES,
    aliases,
  })
  return { membership, origin: "created", notes: [] }
}

/** A member needs no invite: joining again is checked for the same overlay, and otherwise ignored. */
async function comeBack(
  membership: Membership,
  options: UpOptions,
  advertised: Address,
): Promise<FabricEntry> {
  const notes: string[] = []
  if (options.join !== undefined) {
    await joinOverlay({ data: options.data, invite: options.join, advertised })
    notes.push(
      `${options.data} is a member of ${membership.configuration.instanceName} already: --join is ignored`,
    )
  }
  const { roles } = membership.identity.certificate
  const strangers = options.roles?.filter((role) => !roles.includes(role)) ?? []
  if (strangers.length > 0)
    notes.push(
      `--roles is ignored: this node's certificate says ${roles.join(",")}; roles are given when a node joins`,
    )
  return { membership, origin: "returned", notes }
}

function checkDomain({ configuration }: Membership, { domain, data }: UpOptions): void {
  const { sipDomain } = configuration
  if (domain === undefined || domain === sipDomain) return
  throw new FabricMismatch(
    `${data} belongs to the fabric of SIP domain ${sipDomain}, not ${domain}; leave --domain out, or use another --data for another fabric`,
  )
}
