import assert from "node:assert/strict"
import { globSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { FakeNode } from "../../../test/support/control.ts"
import { InvariantError } from "../../core/kit/errors.ts"
import { count } from "../../core/kit/log.ts"
import { COUNTERS, Metrics } from "./metrics.ts"

const fault = (claim: string) => {
  throw new InvariantError(claim)
}

/** Every sample of Prometheus' text format, by name and labels. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const line of text.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line) ?? []
    assert.ok(name !== undefined && !Number.isNaN(Number(value)), `no sample: ${line}`)
    found.set(name, Number(value))
  }
  return found
}

test("counts, gauges of the host and the node's status become Prometheus text", async () => {
  const metrics = new Metrics(fault)
  metrics.count(count("reload_messages_total", { method: "ping", direction: "sent" }))
  metrics.count(count("reload_messages_total", { method: "ping", direction: "sent" }, 4))
  const status = new FakeNode().status()
  const text = await metrics.text({ status, host: { reload_links: 3 }, udp: undefined })
  const found = samples(text)
  assert.equal(found.get('reload_messages_total{method="ping",direction="sent"}'), 5)
  assert.equal(found.get("carillon_reload_links"), 3)
  assert.equal(found.get('carillon_role_nodes{role="registrar"}'), 2)
  assert.equal(found.get("carillon_may_die"), 1)
  assert.equal(found.get('carillon_records{state="due"}'), 21)
  assert.equal(found.get('carillon_records{state="repairing"}'), 3)
  assert.equal(found.get('carillon_health{state="healthy"}'), 1)
  assert.match(text, /^# HELP reload_messages_total .+\n# TYPE reload_messages_total counter$/m)
})

test("a role that nobody serves any more leaves the figures", async () => {
  const metrics = new Metrics(fault)
  const status = new FakeNode().status()
  await metrics.text({ status, host: {}, udp: undefined })
  const found = samples(
    await metrics.text({ status: { ...status, roleCounts: { proxy: 1 } }, host: {}, udp: undefined }),
  )
  assert.equal(found.has('carillon_role_nodes{role="registrar"}'), false)
  assert.equal(found.get('carillon_role_nodes{role="proxy"}'), 1)
})

test("counters and labels that are not declared are faults of ours", () => {
  const metrics = new Metrics(fault)
  assert.throws(() => metrics.count(count("nobody_declared_this_total")), InvariantError)
  assert.throws(() => metrics.count(count("sip_malformed_total", { colour: "red" })), InvariantError)
})

test("every counter that core or host raises is declared, with its labels", () => {
  const files = globSync("src/{core,host}/**/*.ts").filter((file) => !file.endsWith(".test.ts"))
  let seen = 0
  for (const file of files) {
    const text = readFileSync(file, "utf8")
    const raised = text.matchAll(/(?:\bcount\(\s*|counter: )"(\w+)"(?:,\s*(?:labels: )?\{([^}]*)\})?/g)
    for (const [, name, labels = ""] of raised) {
      const declared = COUNTERS[name!]
      assert.ok(declared !== undefined, `${file}: ${name} is not declared in metrics.ts`)
      const given = labels.split(",").flatMap((each) => /^\s*(\w+)/.exec(each)?.[1] ?? [])
      assert.deepEqual(given.sort(), [...declared.labels].sort(), `${file}: labels of ${name}`)
      seen++
    }
  }
  assert.ok(seen > 5, "the expression finds them")
})
