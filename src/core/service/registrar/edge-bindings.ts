import type { Interned } from "../../kit/interned.ts"
import type { Packer, Unpacker } from "../../kit/packed.ts"
import type { Binding, EdgeBindings, Tombstone } from "../stores.ts"
import { TRANSPORTS } from "./edge-fields.ts"

// What a record says of an AOR, as texts and numbers one behind the other.

/** What a binding says that a registration says as well, and how its Contact may begin, by less and by more of that. */
export type Implied = Pick<Binding, "transport" | "source" | "expires"> & {
  readonly leads: readonly string[]
}

/** A Contact that nothing is known of. */
const NO_LEADS = [""]
/** Numbers of leads: the user's name as that of his AOR, and that followed by where the phone came from. */
export const LEAD = { user: 1, source: 2 } as const

/** How a Contact may begin. Most phones that are behind no NAT have nothing else to say in it. */
export const leadsOf = (aor: string, source: string): readonly string[] => {
  const at = aor.indexOf("@")
  if (at < 0) return NO_LEADS
  const user = `sip:${aor.slice(0, at)}@`
  return ["", user, `${user}${source}`]
}

/** By the number of the binding in an entry: what need not stand in it. */
export type ImpliedOf = (edge: string, binding: number) => Implied | undefined

const HAS = {
  instance: 1,
  regId: 2,
  flow: 4,
  path: 8,
  q: 16,
  transport: 32,
  source: 64,
  expires: 128,
} as const
const USUAL_Q = 1_000

export const times = <T>(length: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length }, (_, index) => make(index))

/** Where `marked` stands; 0 where it does not. */
export function writeEntries(
  packer: Packer,
  edges: Interned<string>,
  entries: readonly EdgeBindings[],
  impliedOf: ImpliedOf,
  marked: Binding | undefined,
): number {
  let place = 0
  packer.count(entries.length)
  for (const { edge, clearedBefore, bindings, tombstones } of entries) {
    packer.count(edges.numberOf(edge))
    packer.number(clearedBefore)
    packer.count(bindings.length)
    for (const [index, binding] of bindings.entries()) {
      if (binding === marked) place = packer.at
      writeBinding(packer, binding, impliedOf(edge, index))
    }
    packer.count(tombstones.length)
    for (const { identity, version, expires } of tombstones) {
      packer.text(identity)
      packer.number(version)
      packer.number(expires)
    }
  }
  return place
}

export function readEntries(
  unpacker: Unpacker,
  edges: Interned<string>,
  impliedOf: ImpliedOf,
): readonly EdgeBindings[] {
  return times(unpacker.count(), () => {
    const edge = edges.of(unpacker.count())
    return {
      edge,
      clearedBefore: unpacker.number(),
      bindings: times(unpacker.count(), (index) => readBinding(unpacker, impliedOf(edge, index))),
      tombstones: times(
        unpacker.count(),
        (): Tombstone => ({
          identity: unpacker.text(),
          version: unpacker.number(),
          expires: unpacker.number(),
        }),
      ),
    }
  })
}

/** Contact, parameters and q come first, of the Contact what its lead does not say: see `readContact`. */
function writeBinding(packer: Packer, binding: Binding, implied: Implied | undefined): void {
  const { contact, parameters, q, path, callId, cseq, instance, regId, transport, source, flow } = binding
  const { expires, version } = binding
  const leads = implied?.leads ?? NO_LEADS
  const lead = leads.findLastIndex((each) => contact.startsWith(each))
  packer.byte(lead)
  packer.text(contact.slice(leads[lead]!.length))
  packer.text(parameters)
  let has = 0
  if (instance !== undefined) has |= HAS.instance
  if (regId !== undefined) has |= HAS.regId
  if (flow !== undefined) has |= HAS.flow
  if (path.length > 0) has |= HAS.path
  if (q !== USUAL_Q) has |= HAS.q
  if (transport !== implied?.transport) has |= HAS.transport
  if (source !== implied?.source) has |= HAS.source
  if (expires !== implied?.expires) has |= HAS.expires
  packer.byte(has)
  if (has & HAS.q) packer.count(q)
  packer.text(callId)
  packer.number(cseq)
  packer.number(version)
  if (has & HAS.transport) packer.byte(TRANSPORTS.indexOf(transport))
  if (has & HAS.source) packer.text(source)
  if (has & HAS.expires) packer.number(expires)
  if (instance !== undefined) packer.text(instance)
  if (regId !== undefined) packer.number(regId)
  if (flow !== undefined) packer.text(flow)
  if ((has & HAS.path) === 0) return
  packer.count(path.length)
  for (const value of path) packer.text(value)
}

function readBinding(unpacker: Unpacker, implied: Implied | undefined): Binding {
  const lead = (implied?.leads ?? NO_LEADS)[unpacker.byte()]!
  const contact = lead + unpacker.text()
  const parameters = unpacker.text()
  const has = unpacker.byte()
  return {
    contact,
    parameters,
    q: has & HAS.q ? unpacker.count() : USUAL_Q,
    callId: unpacker.text(),
    cseq: unpacker.number(),
    version: unpacker.number(),
    transport: has & HAS.transport ? TRANSPORTS[unpacker.byte()]! : implied!.transport,
    source: has & HAS.source ? unpacker.text() : implied!.source,
    expires: has & HAS.expires ? unpacker.number() : implied!.expires,
    instance: has & HAS.instance ? unpacker.text() : undefined,
    regId: has & HAS.regId ? unpacker.number() : undefined,
    flow: has & HAS.flow ? unpacker.text() : undefined,
    path: has & HAS.path ? times(unpacker.count(), () => unpacker.text()) : [],
  }
}

/** The number of its lead, the rest of the Contact of a binding and its parameters, by where their bytes are; and its q. */
export function readContact(unpacker: Unpacker) {
  const lead = unpacker.byte()
  const length = unpacker.count()
  const start = unpacker.at
  unpacker.at += length
  const parametersLength = unpacker.count()
  const parametersStart = unpacker.at
  unpacker.at += parametersLength
  const parametersEnd = unpacker.at
  const q = unpacker.byte() & HAS.q ? unpacker.count() : USUAL_Q
  return { lead, start, end: start + length, parametersStart, parametersEnd, q }
}
