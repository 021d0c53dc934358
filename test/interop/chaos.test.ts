import assert from "node:assert/strict"
import { after, describe, test } from "node:test"
import { Chaos, GENEROUS } from "../../bench/chaos/chaos.ts"
import { EXPERIMENTS, type ExperimentName } from "../../bench/chaos/experiments.ts"
import { tableOf } from "../../bench/chaos/report.ts"

// `npm run chaos` in small. What comes of it counts, not how long it takes: the machine may do much else.
describe("four nodes and 200 phones, under calls", () => {
  const said: string[] = []
  const chaos = new Chaos({
    seed: 1,
    nodes: 4,
    users: 200,
    churn: 8,
    limits: GENEROUS,
    say: (line) => said.push(line),
  })
  after(() => chaos.end())

  const claims: Partial<Record<ExperimentName, string>> = {
    freeze: "a node that stands still is passed by, and is a node again when it goes on",
    pair: "two nodes that die at once take no phone with them but those connected to them, until these register again",
    power: "a farm that dies as a whole comes back with every user and every registration",
    churn: "nodes come and go, and no call that was answered is lost",
  }

  test("phones register at all nodes, by UDP, TCP and TLS, and each is reached", async () => {
    await chaos.settle()
    expectTargetsMet()
  })
  for (const [name, claim] of Object.entries(claims))
    test(claim, async () => {
      await EXPERIMENTS[name as ExperimentName](chaos)
      expectTargetsMet()
    })

  function expectTargetsMet(): void {
    const isMissed = chaos.rows.some(([, , , verdict]) => verdict === "NOT")
    assert.ok(!isMissed, `${said.join("\n")}\n${tableOf(chaos.rows)}`)
    assert.ok(chaos.rows.some(([, , , verdict]) => verdict === "ok"))
  }
})
