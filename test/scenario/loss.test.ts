import assert from "node:assert/strict"
import { milliseconds, seconds } from "../../src/core/kit/time.ts"
import { ringComplaint, ringsComplaint } from "../../src/sim/checkers.ts"
import { scenario } from "../../src/sim/scenario.ts"
import {
  addUsers,
  dial,
  eventually,
  hangUp,
  outcome,
  phoneOf,
  register,
  userNames,
} from "../../src/sim/telephony.ts"

const bad = { nodes: 4, delay: { least: milliseconds(5), most: milliseconds(60) }, seeds: 3 }

scenario("every request gets exactly one answer though a tenth of all datagrams is lost", bad, (world) => {
  eventually(world, () => ringComplaint(world))
  const names = userNames(6)
  addUsers(world, world.pick(world.hosts), names)
  const phones = names.map((name) => phoneOf(world, world.pick(world.hosts), name))
  world.weather.change({ loss: 0.1 })
  for (const phone of phones) {
    assert.equal(register(world, phone), 200)
    assert.equal(phone.all("registered").length, 1)
  }
  const calls = phones.flatMap((caller) =>
    [1, 2].map(() => dial(world, caller, world.pick(phones.filter((phone) => phone !== caller)))),
  )
  for (const call of calls) assert.equal(outcome(world, call), 200, call.id)
  world.run(seconds(40))
  for (const call of calls) {
    const count = (kind: "ringing" | "call-confirmed" | "call-answered", phone = call.callee) =>
      phone.all(kind).filter((event) => event.call === call.id).length
    assert.equal(count("ringing"), 1, `${call.id} rings once`)
    assert.equal(count("call-answered", call.caller), 1, `${call.id} is answered once`)
    assert.equal(count("call-confirmed"), 1, `${call.id} is confirmed once`)
  }
  for (const call of calls) assert.equal(hangUp(world, call, world.pick(["caller", "callee"])), undefined)
  world.run(seconds(40))
  for (const call of calls)
    for (const phone of [call.caller, call.callee])
      assert.equal(phone.all("call-ended").filter((event) => event.call === call.id).length, 1, call.id)
  assert.equal(ringsComplaint(world), undefined)
})
