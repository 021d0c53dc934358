import assert from "node:assert/strict"
import { seconds } from "../../src/core/kit/time.ts"
import { bindingsComplaint, ringComplaint, ringsComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import type { SimPhone } from "../../src/sim/sim-phone.ts"
import {
  addUsers,
  dial,
  eventually,
  hangUp,
  outcome,
  phoneOf,
  register,
  talk,
} from "../../src/sim/telephony.ts"
import type { World } from "../../src/sim/world.ts"

const rough = { nodes: 6, loss: 0.05, seeds: 3 }

scenario(
  "a call that starts when the 200 has come sees the registration, and its removal",
  rough,
  (world) => {
    const { alice, bob } = farmWithTwo(world)
    for (let round = 0; round < 20; round++) {
      bob.use(world.pick(world.hosts))
      alice.use(world.pick(world.hosts))
      assert.equal(register(world, bob), 200)
      expectTalk(world, alice, bob)
      assert.equal(register(world, bob, 0), 200)
      alice.use(world.pick(world.hosts))
      assert.equal(talk(world, alice, bob), 480)
    }
  },
)

scenario("Contact: * at one node removes what three nodes have registered", rough, (world) => {
  const { alice } = farmWithTwo(world)
  const phones = world
    .shuffle(world.hosts)
    .slice(0, 3)
    // Long enough for an INVITE to come again that was lost.
    .map((host) => phoneOf(world, host, "bob", { answers: { kind: "accept", after: seconds(5) } }))
  for (const phone of phones) assert.equal(register(world, phone), 200)
  const call = dial(world, alice, phones[0]!)
  assert.equal(outcome(world, call), 200)
  for (const phone of phones) assert.equal(phone.all("ringing").length, 1, "all of them ring")
  assert.equal(register(world, phones[1]!, 0, { everything: true }), 200)
  assert.equal(bindingsComplaint(world, "bob", []), undefined)
  assert.equal(talk(world, alice, phones[0]!), 480)
  assert.equal(ringsComplaint(world), undefined)
})

for (const transport of ["UDP", "TCP"] as const) {
  scenario(`a phone that moves over ${transport} rings at its new place only`, rough, (world) => {
    const { alice } = farmWithTwo(world)
    const bob = phoneOf(world, world.pick(world.hosts), "bob", { transport })
    for (let round = 0; round < 10; round++) {
      bob.use(world.pick(world.hosts))
      assert.equal(register(world, bob), 200)
      alice.use(world.pick(world.hosts))
      expectTalk(world, alice, bob)
      assert.equal(bob.all("ringing").length, round + 1)
    }
    const contact = bob.last("registered")!.contacts
    assert.equal(contact.length, 1)
    assert.equal(bindingsComplaint(world, "bob", contact), undefined)
  })
}

function farmWithTwo(world: World): { readonly alice: SimPhone; readonly bob: SimPhone } {
  eventually(world, () => ringComplaint(world))
  addUsers(world, world.pick(world.hosts), ["alice", "bob"])
  const [alice, bob] = ["alice", "bob"].map((name) => phoneOf(world, world.pick(world.hosts), name))
  return { alice: alice!, bob: bob! }
}

function expectTalk(world: World, caller: SimPhone, callee: SimPhone): void {
  const call = talk(world, caller, callee)
  if (typeof call === "number") assert.fail(`the call is answered by ${call}`)
  assert.equal(hangUp(world, call, world.pick(["caller", "callee"])), undefined)
}
