import { fromUtf8 } from "../core/kit/bytes.ts"
import { toHex } from "../core/kit/hex.ts"
import { type Instant, seconds } from "../core/kit/time.ts"
import type { NodeAnswer, NodeCommand } from "../core/node/interface.ts"
import { COPIES } from "../core/overlay/placement.ts"
import { type DataModel, type StoredData, storedData } from "../core/reload/stored-data.ts"
import type { StorageChange } from "../core/storage/change.ts"
import { DEFAULT_KINDS, SUBSCRIBER_INDEX } from "../core/storage/kinds.ts"
import { decode } from "../core/wire/codec.ts"
import type { Disk } from "./disk.ts"
import type { SimHost } from "./sim-host.ts"
import type { World } from "./world.ts"

// They look on from outside: at disks, at what nodes answer to commands, at what phones have seen.
// Each says what is amiss, or undefined.

type Put = Extract<StorageChange, { kind: "put" }>
type Found = Extract<NodeAnswer, { kind: "found" }>

const MODELS: ReadonlyMap<number, DataModel> = new Map(DEFAULT_KINDS.map(({ id, model }) => [id, model]))

/** Every living node is healthy and knows the living nodes, all of them and no others. */
export function ringComplaint(world: World): string | undefined {
  const all = living(world)
  const expected = all.map(({ nodeId }) => nodeId).join(" ")
  for (const host of all) {
    if (host.health.state !== "healthy") return `${host.host} is ${JSON.stringify(host.health)}`
    const { nodes } = host.node.status(world.now)
    const known = nodes.map(({ node }) => node).sort()
    if (known.join(" ") !== expected) return `${host.host} knows ${known.length} nodes of ${all.length}`
  }
  return undefined
}

/**
 * Every record that anybody still has on disk is on the disks of the three nodes that ought to hold it, in
 * its newest version. RFC 6940 §10.4.
 */
export function copiesComplaint(world: World): string | undefined {
  return copiesAmiss(living(world), world.now)
}

/** The same of any machines, by Node-ID. */
export function copiesAmiss(all: readonly Keeper[], now: Instant): string | undefined {
  const disks = new Map(all.map((host) => [host, valuesOn(host, now)]))
  for (const [place, { put, data }] of newestOn(disks.values())) {
    for (const holder of holdersOf(all, put.resource)) {
      const held = disks.get(holder)!.get(place)
      const what =
        held === undefined ? "no copy" : `a copy older by ${data.storageTime - held.data.storageTime} ms`
      if (held?.data.storageTime !== data.storageTime) return `${holder.host} has ${what} of ${place}`
    }
  }
  return undefined
}

function newestOn(disks: Iterable<ReadonlyMap<string, Value>>): ReadonlyMap<string, Value> {
  const newest = new Map<string, Value>()
  for (const disk of disks) {
    for (const [place, value] of disk) {
      const best = newest.get(place)
      if (best === undefined || value.data.storageTime > best.data.storageTime) newest.set(place, value)
    }
  }
  return newest
}

/**
 * Every living node knows these users, and their index, as it is on the disks of the living, names these and no
 * others. Reading it through a node takes a thousand questions, so only `listComplaint` does.
 */
export function usersComplaint(world: World, names: readonly string[]): string | undefined {
  const listed = namesOnDisks(world)
  if (listed.join() !== aorsOf(world, names).join())
    return `the index has ${listed.length} users, not ${names.length}: ${listed.join()}`
  for (const name of names) {
    for (const [host, found] of lookUpEverywhere(world, name)) {
      if (found.kind !== "found") return `${host.host} cannot look ${name} up: ${JSON.stringify(found)}`
      if (!found.user) return `${host.host} does not know ${name}`
    }
  }
  return undefined
}

/** One of the living nodes lists these users and no others. */
export function listComplaint(world: World, names: readonly string[]): string | undefined {
  const listed = world.command(world.pick(living(world)), { kind: "list-users" })
  if (listed.kind !== "users") return `the users cannot be listed: ${JSON.stringify(listed)}`
  return [...listed.names].sort().join() === aorsOf(world, names).join()
    ? undefined
    : `${listed.names.length} users are listed of ${names.length}`
}

/** Through every living node the user is found at these Contacts and no others. */
export function bindingsComplaint(
  world: World,
  name: string,
  contacts: readonly string[],
): string | undefined {
  const expected = [...contacts].sort().join(" ")
  for (const [host, found] of lookUpEverywhere(world, name)) {
    if (found.kind !== "found") return `${host.host} cannot look ${name} up: ${JSON.stringify(found)}`
    const seen = contactsOf(found).join(" ")
    if (seen !== expected)
      return `${host.host} finds ${name} at ${seen || "no place"}, not at ${expected || "none"}`
  }
  return undefined
}

/** No phone rings twice for one call. */
export function ringsComplaint(world: World): string | undefined {
  for (const phone of world.phones) {
    const calls = phone.all("ringing").map(({ call }) => call)
    const twice = calls.find((call, index) => calls.indexOf(call) !== index)
    if (twice !== undefined) return `the phone ${phone.host} rings twice for ${twice}`
  }
  return undefined
}

const aorsOf = (world: World, names: readonly string[]): readonly string[] =>
  names.map((name) => `${name}@${world.domain}`).sort()

/** What the index of users says in the newest version that anybody living has of each of its entries. */
function namesOnDisks(world: World): readonly string[] {
  const names: string[] = []
  for (const { put, data } of newestOn(living(world).map((host) => valuesOn(host, world.now))).values())
    if (put.kindId === SUBSCRIBER_INDEX.id && data.value.model === "dictionary" && data.value.exists)
      names.push(fromUtf8(data.value.key) ?? toHex(data.value.key))
  return names.sort()
}

/** Nodes that live, by Node-ID. */
export const living = (world: World): readonly SimHost[] =>
  [...world.alive].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))

/** The nodes that ought to hold a record: the first Node-ID at or after it, and the next two. `hosts` by Node-ID. */
export function holdersOf<Host extends Keeper>(hosts: readonly Host[], resource: string): readonly Host[] {
  const first = hosts.findIndex(({ nodeId }) => nodeId >= resource)
  const start = first < 0 ? 0 : first
  return [...hosts.slice(start), ...hosts.slice(0, start)].slice(0, COPIES)
}

/** Somebody with a Node-ID and a disk. */
export interface Keeper {
  readonly host: string
  readonly nodeId: string
  readonly disk: Disk
}

interface Value {
  readonly put: Put
  readonly data: StoredData
}

/** What a node has on disk that has not expired, by place. */
export function valuesOn(host: Keeper, now: Instant): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>()
  for (const put of host.disk.contents()) {
    if (put.kind !== "put") continue
    const data = decode(storedData(MODELS.get(put.kindId) ?? "single"), put.value, "value")
    if (put.storedAt + seconds(data.lifetime) <= now) continue
    values.set(`${put.resource} ${put.kindId.toString(16)} ${put.slot}`, { put, data })
  }
  return values
}

const lookUpEverywhere = (world: World, aor: string) => askAll(world, living(world), { kind: "lookup", aor })

/** All at once; the answers when the last one has come. */
function askAll(
  world: World,
  hosts: readonly SimHost[],
  command: NodeCommand,
): readonly (readonly [SimHost, NodeAnswer])[] {
  const answers = new Map<SimHost, NodeAnswer>()
  for (const host of hosts) host.command(command, (answer) => answers.set(host, answer))
  world.runUntil(() => answers.size === hosts.length, seconds(60))
  const silent = hosts.find((host) => !answers.has(host))
  if (silent !== undefined) throw new Error(`${silent.host} does not answer ${command.kind}`)
  return [...answers]
}

const contactsOf = ({ bindings }: Found): readonly string[] => bindings.map(({ contact }) => contact).sort()
