import assert from "node:assert/strict"
import { after, describe, test } from "node:test"
import { Kills } from "../../bench/kills/kills.ts"

// `npm run kills` in small.
describe("three nodes that are killed at random moments while users are written", () => {
  const said: string[] = []
  const kills = new Kills({ seed: 1, kills: 10, torn: false, full: false, say: (line) => said.push(line) })
  after(() => kills.end())

  test("lose no user whose writing was acknowledged", async (context) => {
    const { lost, acknowledged, unanswered, powerCuts } = await kills.run()
    context.diagnostic(`${acknowledged} users acknowledged, ${lost.length} lost, ${unanswered} unanswered`)
    assert.deepEqual(lost, [])
    assert.equal(powerCuts, 2)
    assert.ok(acknowledged >= 30, `writers got through: ${acknowledged}`)
    assert.ok(unanswered > 0, "kills fell into writes")
    assert.equal(said.length, 1)
  })
})
