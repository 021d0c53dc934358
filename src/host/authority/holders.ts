import type { Role } from "../../core/identity/certificate.ts"
import { DEFAULT_ROLES, ENROLMENT } from "../../core/identity/roles.ts"
import { after, type Duration, type Instant, minutes, NO_TIME, seconds } from "../../core/kit/time.ts"

// Which nodes are to hold the CA. Each node works it out for itself from what it sees; nobody is told.

/** By default, so many nodes of a fabric. */
export const WANTED_HOLDERS = 3

/** A holder that is away is waited for so long, since most come back; less where one more death would lose the CA. */
const PATIENCE = minutes(10)
const LAST_HOLDER_PATIENCE = seconds(30)
/** The next in line steps in where the one before does not. */
const NEXT_IN_LINE = seconds(30)

interface Living {
  readonly node: string
  readonly roles: readonly Role[]
  readonly self: boolean
}

export interface HolderView {
  /** Living nodes, this one included. */
  readonly nodes: readonly Living[]
  /** How many enrolment nodes the configuration document lists, living or not. */
  readonly listed: number
  readonly wanted: number
  /** Since when fewer hold it than should; undefined where enough do. */
  readonly shortSince: Instant | undefined
}

export const hasAll = (roles: readonly Role[], wanted: readonly Role[]): boolean =>
  wanted.every((role) => roles.includes(role))

export const holdersOf = <T extends Living>(nodes: readonly T[]): readonly T[] =>
  nodes.filter(({ roles }) => roles.includes(ENROLMENT))

/** Whether fewer living nodes hold the CA than should, and one does that it can be got from. */
export const isShortOfHolders = ({ nodes, wanted }: Pick<HolderView, "nodes" | "wanted">): boolean => {
  const holders = holdersOf(nodes).length
  return holders > 0 && holders < wanted
}

/** When this node is to ask for the CA; undefined where it is not its turn. Nodes come in the order of their Node-IDs. */
export function asksForAuthorityAt({ nodes, listed, wanted, shortSince }: HolderView): Instant | undefined {
  if (shortSince === undefined || !isShortOfHolders({ nodes, wanted })) return undefined
  const candidates = nodes
    .filter(({ roles }) => hasAll(roles, DEFAULT_ROLES) && !roles.includes(ENROLMENT))
    .sort((a, b) => (a.node < b.node ? -1 : 1))
  const place = candidates.findIndex(({ self }) => self)
  if (place < 0) return undefined
  const living = holdersOf(nodes).length
  const patience =
    listed < wanted && living >= listed ? NO_TIME : living === 1 ? LAST_HOLDER_PATIENCE : PATIENCE
  return after(shortSince, (patience + place * NEXT_IN_LINE) as Duration)
}

/** Who of the holders signs new configuration documents, so that no two do at once: the smallest Node-ID that lives. */
export function leadOf<T extends Living>(nodes: readonly T[]): T | undefined {
  const [first] = [...holdersOf(nodes)].sort((a, b) => (a.node < b.node ? -1 : 1))
  return first
}
