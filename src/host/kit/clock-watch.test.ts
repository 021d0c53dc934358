import assert from "node:assert/strict"
import { type TestContext, test } from "node:test"
import { ClockWatch } from "./clock-watch.ts"

/** A node whose system's clock and whose fellows' clocks are ahead of its own by so much. */
function watching(t: TestContext, clocks: { step: number; others: readonly number[] }) {
  const events: string[] = []
  const watch = new ClockWatch({
    step: () => clocks.step,
    advance(by) {
      clocks.step -= by
      clocks.others = clocks.others.map((each) => each - by)
    },
    others: () => clocks.others,
    log: ({ event, fields }) => events.push(`${event} ${fields["milliseconds"]}`),
  })
  t.after(() => watch.stop())
  return { watch, events, clocks }
}

const HOUR = 3_600_000

test("a clock that is set while the others say nothing of the kind is told, once, and not followed", (t) => {
  for (const step of [HOUR, -HOUR]) {
    const { watch, events, clocks } = watching(t, { step, others: [3, -2, 1] })
    watch.look()
    watch.look()
    assert.deepEqual(events, [`host.clock-stepped ${step}`])
    assert.equal(watch.step, step)
    assert.equal(clocks.step, step)
    clocks.step = 10
    watch.look()
    assert.equal(watch.step, undefined)
  }
})

test("a node that stood still for an hour catches up, since the others\u2019 clocks went on", (t) => {
  const { watch, events, clocks } = watching(t, { step: HOUR, others: [HOUR + 5, HOUR - 4, HOUR] })
  watch.look()
  assert.deepEqual(events, [`host.clock-advanced ${HOUR}`])
  assert.equal(watch.step, undefined)
  assert.deepEqual(clocks, { step: 0, others: [5, -4, 0] })
})

test("a node that is ahead of all others does not go back: time never does", (t) => {
  const { watch, events } = watching(t, { step: -HOUR, others: [-HOUR, -HOUR] })
  watch.look()
  assert.deepEqual(events, [`host.clock-stepped ${-HOUR}`])
})

test("one whose clock alone was set beside one other that has fallen behind as well follows the most", (t) => {
  const { watch } = watching(t, { step: HOUR, others: [HOUR, 0, 0] })
  watch.look()
  assert.equal(watch.step, HOUR)
})

test("a lone node has nobody to ask, and goes on as it was", (t) => {
  const { watch } = watching(t, { step: HOUR, others: [] })
  watch.look()
  assert.equal(watch.step, HOUR)
})
