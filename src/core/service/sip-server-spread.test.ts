import assert from "node:assert/strict"
import { test } from "node:test"
import { Farm, statusOf } from "../../../test/support/sip-farm.ts"

const PHONES = 100
const STEP = 250

test("what many phones rest on that came at one instant is not read again at one instant", () => {
  const farm = new Farm(1)
  const node = farm.nodes[0]!
  const phones = Array.from({ length: PHONES }, (_, number) => {
    farm.addUser(`user${number}`, "secret")
    return farm.phone(`user${number}`, "UDP", `192.0.2.${number}`)
  })
  for (const phone of phones) assert.equal(statusOf(phone.register(node)), 200)
  farm.advance(2_000)
  const asked = { "find-subscriber": [] as number[], "find-bindings": [] as number[] }
  for (let passed = 0; passed < 90_000; passed += STEP) {
    node.effects.length = 0
    for (const phone of phones) assert.equal(statusOf(phone.register(node)), 200)
    farm.advance(STEP)
    for (const kind of ["find-subscriber", "find-bindings"] as const)
      asked[kind].push(node.asked().filter((each) => each === kind).length)
  }
  for (const [kind, counts] of Object.entries(asked)) {
    assert.ok(counts.reduce((sum, count) => sum + count) >= 3 * PHONES, `${kind}: they are read again`)
    assert.ok(Math.max(...counts) <= PHONES / 5, `${kind} in ${STEP} ms: ${counts.join(" ")}`)
  }
})
