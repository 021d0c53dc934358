import assert from "node:assert/strict"
import {
  bindingsComplaint,
  copiesComplaint,
  holdersOf,
  living,
  ringComplaint,
  ringsComplaint,
  valuesOn,
} from "../../src/sim/checkers.ts"
import type { SimHost } from "../../src/sim/sim-host.ts"
import type { SimPhone } from "../../src/sim/sim-phone.ts"
import {
  addUsers,
  type Call,
  eventually,
  hangUp,
  phoneOf,
  register,
  reInvite,
  talk,
  userNames,
} from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

// What stories of whole farms begin with, and what they expect in the end.

export interface Furnished {
  readonly names: readonly string[]
  /** A phone for each name; every other one by TCP, so bound by a flow. */
  readonly phones: readonly SimPhone[]
}

/** A farm that is whole, with users at any nodes, phones registered at any, and all records complete. */
export function furnish(world: World, count: number): Furnished {
  eventually(world, () => ringComplaint(world))
  const names = userNames(count)
  addUsers(world, world.pick(world.hosts), names)
  const phones = names.map((name, index) =>
    phoneOf(world, world.pick(world.hosts), name, { transport: index % 2 === 0 ? "UDP" : "TCP" }),
  )
  for (const phone of phones) assert.equal(register(world, phone), 200)
  eventually(world, () => shortComplaint(world) ?? copiesComplaint(world))
  return { names, phones }
}

/** Nobody who is responsible for a record knows of fewer than three copies. */
export function shortComplaint(world: World): string | undefined {
  const short = world.alive.reduce((sum, { node }) => sum + node.status(world.now).records.short, 0)
  return short > 0 ? `${short} records are short` : undefined
}

/** The three that hold some record or other, the responsible one first. */
export function holdersOfSomething(world: World): readonly SimHost[] {
  const host = world.pick(living(world))
  const [place] = world.shuffle([...valuesOn(host, world.now).values()])
  assert.ok(place, `${host.host} holds nothing`)
  return holdersOf(living(world), place.put.resource)
}

/** Phones whose node is dead take another; those that were bound by a flow register there. */
export function moveFromTheDead(world: World, phones: readonly SimPhone[]): void {
  for (const phone of phones.filter((each) => !isAtLivingNode(world, each))) {
    phone.use(world.pick(world.alive))
    if (phone.agent.settings.transport === "TCP") assert.equal(register(world, phone), 200)
  }
}

const isAtLivingNode = (world: World, { agent }: SimPhone) =>
  world.alive.some(({ host }) => host === agent.settings.proxy.host)

/** Every phone is called through every node that lives, by somebody who moves from one to the next. */
export function expectAllReached(world: World, phones: readonly SimPhone[]): void {
  const [caller] = phones
  for (const node of living(world)) {
    const phone = phoneOf(world, node, caller!.agent.settings.user)
    for (const callee of phones) expectTalk(world, phone, callee)
  }
}

export function expectTalk(world: World, caller: SimPhone, callee: SimPhone): void {
  assert.equal(hangUp(world, expectCall(world, caller, callee), world.pick(["caller", "callee"])), undefined)
  assert.equal(ringsComplaint(world), undefined)
}

export function expectCall(world: World, caller: SimPhone, callee: SimPhone): Call {
  const call = talk(world, caller, callee)
  if (typeof call === "number")
    assert.fail(`the call to ${callee.agent.settings.user} is answered by ${call}`)
  return call
}

/** It can still be changed and ended from that side, and the other side learns of it. */
export function expectGoesOn(world: World, call: Call, from: "caller" | "callee"): void {
  assert.equal(reInvite(world, call, from), 200, "the re-INVITE")
  assert.equal(hangUp(world, call, from), undefined)
}

/** Through every living node the phone's user is where its last 200 said. */
export function expectFound(world: World, phone: SimPhone): void {
  const { contacts } = phone.last("registered")!
  assert.equal(bindingsComplaint(world, phone.agent.settings.user, contacts), undefined)
}
