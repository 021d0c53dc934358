import type { Certificate, Identity } from "../identity/certificate.ts"
import type { NodeId } from "../identity/node-id.ts"
import { domainOf, type FailureDomain } from "../identity/roles.ts"
import { LIMITS } from "../kit/limits.ts"
import type { ResourceId } from "../reload/header.ts"
import type { Fabric } from "./fabric.ts"

/** How many peers hold a record. RFC 6940 §10.4. */
export const COPIES = 3

/** What it takes to know. */
export interface PlacementParts {
  readonly self: NodeId
  readonly identity: Pick<Identity, "certificate">
  readonly topology: Pick<Fabric["topology"], "holders" | "peers" | "neighbors">
  readonly settings: Pick<Fabric["settings"], "fullMeshLimit">
}

/**
 * Who ought to hold a record: the three that RFC 6940 §10.4 names, and where these stand in one failure domain and
 * peers in another are known, the next peer round the ring that stands in another.
 *
 * Between the three and that one all peers stand in the domain of the three. So when the domain dies as a whole, the
 * peer with the extra copy is the responsible one, and nobody has to look for it. docs/decisions/0022.
 */
export class Placement {
  readonly #fabric: PlacementParts
  /** As certificates said when links came up; also of peers whose link is down for the moment. */
  readonly #domains = new Map<NodeId, FailureDomain>()

  constructor(fabric: PlacementParts) {
    this.#fabric = fabric
  }

  learn(node: NodeId, certificate: Certificate): void {
    this.#domains.delete(node)
    if (this.#domains.size >= LIMITS.reload.judgedCertificates) this.#domains.clear()
    const domain = domainOf(certificate)
    if (domain.site !== undefined || domain.rack !== undefined) this.#domains.set(node, domain)
  }

  /** The three, the responsible peer first. */
  holders(resource: ResourceId): readonly NodeId[] {
    return this.#fabric.topology.holders(resource, COPIES)
  }

  /** Who holds the copy in another failure domain; undefined where the three do not share one, or no other is known. */
  extra(resource: ResourceId): NodeId | undefined {
    if (this.#domains.size === 0) return undefined
    const [first, second, third, ...others] = this.#fabric.topology.holders(resource, this.#reach())
    if (third === undefined) return undefined
    const [one, two, three] = [this.#domainOf(first!), this.#domainOf(second!), this.#domainOf(third)]
    for (const key of [siteOf, rackOf]) {
      const shared = key(one)
      if (shared === undefined || shared !== key(two) || shared !== key(three)) continue
      const found = others.find((node) => isElsewhere(key(this.#domainOf(node)), shared))
      if (found !== undefined) return found
    }
    return undefined
  }

  /** All that ought to hold it. */
  due(resource: ResourceId): readonly NodeId[] {
    const extra = this.extra(resource)
    const holders = this.holders(resource)
    return extra === undefined ? holders : [...holders, extra]
  }

  /** Whether it has its place with us. */
  isDue(resource: ResourceId): boolean {
    return this.due(resource).includes(this.#fabric.self)
  }

  /**
   * How far round the ring both the responsible peer and the one with the extra copy see everybody, so that they are
   * of one mind: as far as the Neighbor Table goes, and where each has a link to every other, all round.
   */
  #reach(): number {
    const { topology, settings } = this.#fabric
    const known = topology.peers().length + 1
    return known <= settings.fullMeshLimit ? known : 1 + topology.neighbors().successors.length
  }

  #domainOf(node: NodeId): FailureDomain {
    if (node === this.#fabric.self) return domainOf(this.#fabric.identity.certificate)
    return this.#domains.get(node) ?? NOWHERE
  }
}

const NOWHERE: FailureDomain = { site: undefined, rack: undefined }

const siteOf = ({ site }: FailureDomain): string | undefined => site

/** Racks of two sites may bear one name. */
const rackOf = ({ site, rack }: FailureDomain): string | undefined =>
  rack === undefined ? undefined : `${site ?? ""}/${rack}`

const isElsewhere = (domain: string | undefined, shared: string): boolean =>
  domain !== undefined && domain !== shared
