import { FormatError } from "../../kit/errors.ts"
import type { Instant } from "../../kit/time.ts"
import { equalUris, parseUri, readSipUri } from "../../sip/uri.ts"
import type { Binding, EdgeBindings } from "../stores.ts"

/** A binding that counts, and the Node-ID of the edge that says so. */
export interface EffectiveBinding extends Binding {
  readonly edge: string
}

/** What makes two registrations the same binding: a flow of an instance (RFC 5626 §6), else the Contact. */
export const identityOf = (binding: Pick<Binding, "contact" | "instance" | "regId">): string =>
  binding.instance !== undefined && binding.regId !== undefined
    ? `flow:${binding.regId}:${binding.instance}`
    : `contact:${binding.contact}`

const CONTACT = "contact:"

/** Contacts are compared as URIs, RFC 3261 §19.1.4. */
export function sameIdentity(a: string, b: string): boolean {
  if (a === b) return true
  if (!a.startsWith(CONTACT) || !b.startsWith(CONTACT)) return false
  try {
    return equalUris(parseUri(a.slice(CONTACT.length)), parseUri(b.slice(CONTACT.length)))
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}

/**
 * Bindings of the phone whose Contact a dialog has as its remote target, the likeliest first. A phone that
 * comes back by a new connection may name that connection's port, so the port does not count where only
 * one phone can be meant: one that can be reached, and has registered after all that can not.
 * `bindings`: newest first, as `mergeBindings` has them.
 */
export function bindingsOfTarget(
  bindings: readonly EffectiveBinding[],
  target: string,
  isReachable: (binding: EffectiveBinding) => boolean,
): readonly EffectiveBinding[] {
  const same = bindings.filter(({ contact }) => sameIdentity(CONTACT + contact, CONTACT + target))
  const wanted = readSipUri(target)
  if (wanted === undefined) return same
  const alike = bindings.filter((binding) => {
    const uri = binding.flow === undefined || same.includes(binding) ? undefined : readSipUri(binding.contact)
    return uri !== undefined && equalUris({ ...uri, port: wanted.port }, wanted)
  })
  const [newest] = alike
  const isOne = newest !== undefined && isReachable(newest) && alike.filter(isReachable).length === 1
  return isOne ? [...same, newest] : same
}

/** One thing that an entry says of an identity. */
interface Saying {
  readonly identity: string
  readonly version: number
  readonly edge: string
  readonly binding: EffectiveBinding | undefined
}

/**
 * The bindings that count, of all that the nodes say; in order of version, newest first.
 *
 * A binding counts if nothing of a higher version speaks of its identity and nobody has cleared the
 * AOR since. Each is judged against all the others, so the order of the entries does not matter,
 * though equality of URIs is not transitive.
 */
export function mergeBindings(entries: readonly EdgeBindings[], now: Instant): readonly EffectiveBinding[] {
  const [first] = entries
  if (entries.length === 1 && first!.tombstones.length === 0 && first!.bindings.length === 1)
    return onlyBinding(first!, now)
  const cleared = Math.max(0, ...entries.map(({ clearedBefore }) => clearedBefore))
  const sayings = entries.flatMap((entry) => sayingsOf(entry, now))
  return sayings
    .flatMap((saying) => {
      if (saying.binding === undefined || saying.version < cleared) return []
      const beaten = sayings.some((other) => other !== saying && beats(other, saying))
      return beaten ? [] : [saying.binding]
    })
    .sort((a, b) => b.version - a.version || (a.edge < b.edge ? 1 : -1))
}

/** Of the usual user, who has one phone, and nothing else is said of him: there is nothing to compare. */
function onlyBinding(
  { edge, bindings, clearedBefore }: EdgeBindings,
  now: Instant,
): readonly EffectiveBinding[] {
  const binding = bindings[0]!
  return binding.expires > now && binding.version >= clearedBefore ? [{ ...binding, edge }] : []
}

function sayingsOf(entry: EdgeBindings, now: Instant): readonly Saying[] {
  const { edge } = entry
  const bindings = entry.bindings
    .filter(({ expires }) => expires > now)
    .map((binding) => ({
      identity: identityOf(binding),
      version: binding.version,
      edge,
      binding: { ...binding, edge },
    }))
  const tombstones = entry.tombstones
    .filter(({ expires }) => expires > now)
    .map(({ identity, version }) => ({ identity, version, edge, binding: undefined }))
  return [...bindings, ...tombstones]
}

/** The higher version; then the higher edge; then, within one entry, the removal. */
function beats(a: Saying, b: Saying): boolean {
  if (a.version < b.version) return false
  if (a.version === b.version && a.edge < b.edge) return false
  if (a.version === b.version && a.edge === b.edge && a.binding !== undefined) return false
  return sameIdentity(a.identity, b.identity)
}

/** The highest version that anyone has used: the next one is above it. */
export const highestVersion = (entries: readonly EdgeBindings[]): number =>
  Math.max(
    0,
    ...entries.flatMap(({ bindings, tombstones, clearedBefore }) => [
      clearedBefore,
      ...bindings.map(({ version }) => version),
      ...tombstones.map(({ version }) => version),
    ]),
  )

/** The version of the binding of that edge, where it is the only one that counts; 0 where it is not. */
export const soleVersionOf = ([first, ...others]: readonly EffectiveBinding[], self: string): number =>
  first?.edge === self && others.length === 0 ? first.version : 0

/** The highest version of all that is said of a binding, and of whatever clears it. 0: nothing is said. */
export function latestWord(entries: readonly EdgeBindings[], identity: string): number {
  const versions = entries.flatMap(({ bindings, tombstones, clearedBefore }) => [
    clearedBefore,
    ...bindings.flatMap((binding) => (sameIdentity(identityOf(binding), identity) ? [binding.version] : [])),
    ...tombstones.flatMap((tomb) => (sameIdentity(tomb.identity, identity) ? [tomb.version] : [])),
  ])
  return Math.max(0, ...versions)
}
