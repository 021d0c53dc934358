import { LIMITS } from "../../kit/limits.ts"
import type { Instant } from "../../kit/time.ts"
import type { Binding, BindingEntry, EdgeBindings, Tombstone } from "../stores.ts"
import { type EffectiveBinding, highestVersion, identityOf, mergeBindings, sameIdentity } from "./bindings.ts"
import type { Registration, RequestedContact } from "./register-request.ts"

/**
 * The record promises this many times the interval that the phone was granted, so that refreshes
 * need no write until less than the interval would be left.
 */
const PROMISE = 4

export type Plan =
  /** A REGISTER that came late: another of the same Call-ID was there before. RFC 3261 §10.3. */
  | { readonly kind: "out-of-order" }
  | { readonly kind: "too-many" }
  | { readonly kind: "store"; readonly entry: BindingEntry; readonly bound: readonly Bound[] }

/** A binding as it will stand in our entry, and the contact that asked for it. */
export interface Bound {
  readonly binding: Binding
  readonly requested: RequestedContact
}

/** What our own entry has to become for a registration, all of it or nothing. RFC 3261 §10.3 steps 6 and 7. */
export function planRegistration(
  entries: readonly EdgeBindings[],
  self: string,
  { contacts, callId, cseq }: Registration,
  now: Instant,
): Plan {
  const current = mergeBindings(entries, now)
  const isLate = (binding: EffectiveBinding) => binding.callId === callId && binding.cseq >= cseq
  if (contacts === "all") {
    if (current.some(isLate)) return { kind: "out-of-order" }
    return { kind: "store", entry: revise(entries, self, CLEAR, now), bound: [] }
  }
  const touched = contacts.map(({ binding }) => identityOf(binding))
  const isTouched = (binding: Binding) =>
    touched.some((identity) => sameIdentity(identity, identityOf(binding)))
  if (current.some((binding) => isTouched(binding) && isLate(binding))) return { kind: "out-of-order" }
  const version = nextVersion(entries, now) + 1 // Above the removals that the same entry may hold.
  const bound = withoutRepeats(contacts)
    .filter(({ granted }) => granted > 0)
    .map((requested) => ({ requested, binding: bind(requested, version, now) }))
  const others = current.filter((binding) => !isTouched(binding))
  if (bound.length > 0 && others.length + bound.length > LIMITS.sip.contactsPerAor)
    return { kind: "too-many" }
  const change = { touched, added: bound.map(({ binding }) => binding), clear: false }
  return { kind: "store", entry: revise(entries, self, change, now), bound }
}

/** Our own entry without a binding, or with its removal where another entry holds it; undefined where it is gone or newer. */
export function planRemoval(
  entries: readonly EdgeBindings[],
  self: string,
  { identity, edge, version }: { readonly identity: string; readonly edge: string; readonly version: number },
  now: Instant,
): BindingEntry | undefined {
  const holds = entries
    .find((entry) => entry.edge === edge)
    ?.bindings.some((binding) => identityOf(binding) === identity && binding.version === version)
  if (holds !== true) return undefined
  const stands = mergeBindings(entries, now).some(
    (binding) => binding.version === version && binding.edge === edge,
  )
  // One that is superseded already is only tidied away, and only out of our own entry.
  if (!stands && edge !== self) return undefined
  const change = stands ? { ...NO_CHANGE, touched: [identity] } : NO_CHANGE
  return revise(entries, self, change, now)
}

/** Whether what stands in the record says all that the request asks for, for as long as it asks. */
export function isCovered(standing: Binding, { binding, granted }: RequestedContact, now: Instant): boolean {
  return (
    granted > 0 &&
    standing.expires >= now + granted &&
    standing.contact === binding.contact &&
    standing.parameters === binding.parameters &&
    standing.q === binding.q &&
    standing.callId === binding.callId &&
    standing.instance === binding.instance &&
    standing.regId === binding.regId &&
    standing.transport === binding.transport &&
    standing.source === binding.source &&
    standing.flow === binding.flow &&
    standing.path.length === binding.path.length &&
    standing.path.every((value, index) => value === binding.path[index])
  )
}

interface Change {
  readonly touched: readonly string[]
  readonly added: readonly Binding[]
  readonly clear: boolean
}

const NO_CHANGE: Change = { touched: [], added: [], clear: false }
const CLEAR: Change = { touched: [], added: [], clear: true }

const nextVersion = (entries: readonly EdgeBindings[], now: Instant): number =>
  Math.max(Math.floor(now), highestVersion(entries) + 1)

const bind = ({ binding, granted }: RequestedContact, version: number, now: Instant): Binding => ({
  ...binding,
  expires: Math.ceil(now + PROMISE * granted),
  version,
})

/** Of contacts that are the same binding the last one counts. */
const withoutRepeats = (contacts: readonly RequestedContact[]): readonly RequestedContact[] =>
  contacts.filter(
    ({ binding }, index) =>
      !contacts
        .slice(index + 1)
        .some((later) => sameIdentity(identityOf(later.binding), identityOf(binding))),
  )

/**
 * Our entry after a change. What other entries say of the same bindings is put to rest by removals
 * here, even where something newer of ours stands above it, as theirs may last longer; a removal
 * is kept as long as it has something to remove.
 */
function revise(
  entries: readonly EdgeBindings[],
  self: string,
  { touched, added, clear }: Change,
  now: Instant,
): BindingEntry {
  const own = entries.find(({ edge }) => edge === self)
  const others = entries
    .filter(({ edge }) => edge !== self)
    .flatMap(({ bindings }) => bindings.filter(({ expires }) => expires > now))
  const version = nextVersion(entries, now)
  const isTouched = (identity: string) => touched.some((other) => sameIdentity(other, identity))
  const clearedBefore = clear ? version : (own?.clearedBefore ?? 0)
  const kept = mergeBindings(entries, now)
    .filter(({ edge }) => edge === self && !clear)
    .filter((binding) => !isTouched(identityOf(binding)))
    .map(({ edge: _, ...binding }) => binding)
  const fresh = touched.flatMap((identity) => tombstone(identity, others, version))
  const tombstones = [
    ...(own?.tombstones ?? []).filter(({ identity }) => !isTouched(identity)),
    ...fresh,
  ].filter(
    ({ identity, version: removed, expires }) =>
      expires > now &&
      others.some((other) => other.version <= removed && sameIdentity(identityOf(other), identity)),
  )
  const clears = others.some((other) => other.version < clearedBefore)
  return { bindings: [...kept, ...added], tombstones, clearedBefore: clears ? clearedBefore : 0 }
}

function tombstone(identity: string, others: readonly Binding[], version: number): readonly Tombstone[] {
  const expiries = others
    .filter((other) => sameIdentity(identityOf(other), identity))
    .map(({ expires }) => expires)
  return expiries.length === 0 ? [] : [{ identity, version, expires: Math.max(...expiries) }]
}
