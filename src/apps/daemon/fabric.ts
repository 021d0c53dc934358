import { domainOf, functionsOf, isDomainName } from "../../core/identity/roles.ts"
import { type Address, sameAddress } from "../../core/kit/address.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import type { Duration } from "../../core/kit/time.ts"
import { openSslCryptography } from "../../host/crypto/cryptography.ts"
import { decodeInvite } from "../../host/enrolment/invite.ts"
import { systemClock } from "../../host/kit/clock.ts"
import type { Member } from "../../host/membership/member.ts"
import {
  createOverlay,
  joinOverlay,
  type MemberSettings,
  openMembership,
} from "../../host/membership/membership.ts"
import type { UpOptions } from "./options.ts"

/** How this node came to its fabric: it made it, was admitted to it, or has been in it before. */
export type Origin = "created" | "joined" | "returned"

export interface FabricEntry {
  readonly membership: Member
  readonly origin: Origin
  /** Where other nodes may be found. */
  readonly bootstrap: readonly Address[]
  /** What the operator asked for and does not get, or should know: a sentence each. */
  readonly notes: readonly string[]
}

/** Options, data directory and fabric do not go together. */
export class FabricMismatch extends CarillonError {
  readonly code = "fabric-mismatch"
}

const DEFAULT_DOMAIN = "localhost"

/**
 * Comes back to the fabric of the data directory, joins by the invite, or makes a new fabric.
 * Throws FabricMismatch, or MembershipError (host), each with one sentence. `waiting` is told why joining takes longer.
 */
export async function enterFabric(
  options: UpOptions,
  advertised: Address,
  waiting: (cause: string) => void = () => undefined,
): Promise<FabricEntry> {
  const { data, domain, join } = options
  const expected = {
    ...(domain === undefined ? {} : { domain }),
    ...(join === undefined ? {} : { invite: join }),
  }
  const known = await openMembership(data, expected, settingsOf(options))
  const entry =
    known === undefined ? await enterFirst(options, advertised, waiting) : comeBack(known, options)
  return {
    ...entry,
    bootstrap: entry.bootstrap.filter((address) => !sameAddress(address, advertised)),
  }
}

async function enterFirst(
  options: UpOptions,
  advertised: Address,
  waiting: (cause: string) => void,
): Promise<FabricEntry> {
  const { data, join, domain, site, rack } = options
  for (const [name, place] of Object.entries({ site, rack }))
    if (place !== undefined && !isDomainName(place))
      throw new FabricMismatch(
        `--${name}: "${place}" is no name of a place; write up to 32 letters, digits, dots, dashes and underscores`,
      )
  const roles = {
    ...(options.roles === undefined ? {} : { roles: options.roles }),
    place: { site, rack },
  }
  if (join === undefined) {
    const about = { data, domain: domain ?? DEFAULT_DOMAIN, advertised, ...settingsOf(options) }
    const membership = await createOverlay({ ...about, ...roles })
    return { membership, origin: "created", bootstrap: [], notes: [] }
  }
  // Judged before this node is admitted: a use of the invite, and a Node-ID, are not to be wasted.
  const { overlay, addresses } = decodeInvite(openSslCryptography(), join, systemClock())
  if (domain !== undefined && domain !== overlay)
    throw new FabricMismatch(
      `the invite is to the fabric ${overlay}, not ${domain}; leave --domain out, or get an invite from ${domain}`,
    )
  const membership = await joinOverlay({
    data,
    invite: join,
    advertised,
    waiting,
    ...settingsOf(options),
    ...roles,
  })
  const bootstrap = [...membership.configuration.bootstrapNodes, ...addresses]
  return { membership, origin: "joined", bootstrap, notes: [] }
}

const settingsOf = ({ certificateLife, enrolmentNodes }: UpOptions): MemberSettings => ({
  clock: systemClock,
  ...(certificateLife === undefined ? {} : { certificateLife: certificateLife as Duration }),
  ...(enrolmentNodes === undefined ? {} : { wantedHolders: enrolmentNodes }),
})

/** A member needs no invite, and its roles stand in its certificate. */
function comeBack(membership: Member, { data, join, roles = [], ...asked }: UpOptions): FabricEntry {
  const notes: string[] = []
  const { configuration, identity } = membership
  if (join !== undefined)
    notes.push(`${data} is a member of ${configuration.instanceName} already: --join is ignored`)
  const { roles: certified } = identity.certificate
  if (roles.some((role) => !certified.includes(role)))
    notes.push(
      `--roles is ignored: this node's certificate says ${functionsOf(certified).join(",")}; roles are given when a node joins`,
    )
  const place = domainOf(identity.certificate)
  for (const name of ["site", "rack"] as const)
    if (asked[name] !== undefined && asked[name] !== place[name])
      notes.push(
        `--${name} ${asked[name]} is ignored: this node's certificate says ${place[name] ?? "none"}; to move it, drain it and join it anew with an empty data directory`,
      )
  return { membership, origin: "returned", bootstrap: configuration.bootstrapNodes, notes }
}
