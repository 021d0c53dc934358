import assert from "node:assert/strict"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { test } from "node:test"
import type { Machine } from "../core/kit/machine.ts"
import { after, type Instant, milliseconds, NEVER } from "../core/kit/time.ts"
import { systemClock } from "./kit/clock.ts"
import { Loop } from "./loop.ts"

/** A machine whose every move is written down by the test. */
const machine = (parts: Partial<Machine<string, string>>): Machine<string, string> => ({
  deadline: NEVER,
  handle: (input) => [input],
  expire: () => [],
  ...parts,
})

const raise = (fault: unknown): void => {
  throw fault
}

test("the clock tells whole milliseconds and never goes backwards", () => {
  let last = systemClock()
  for (let i = 0; i < 10_000; i++) {
    const now = systemClock()
    assert.ok(Number.isInteger(now) && now >= last)
    last = now
  }
  assert.ok(Math.abs(last - Date.now()) < 60_000)
})

test("an input that comes while effects are performed waits until all of them are", () => {
  const seen: string[] = []
  const loop = new Loop({
    machine: machine({ handle: (input) => (input === "a" ? ["a1", "a2"] : [input]) }),
    clock: systemClock,
    perform: (effect) => {
      seen.push(effect)
      if (effect === "a1") loop.input("b")
    },
    fatal: raise,
  })
  loop.begin("a")
  assert.deepEqual(seen, ["a1", "a2", "b"])
})

test("what comes before the beginning is handled after the first input", () => {
  const seen: string[] = []
  const loop = new Loop({
    machine: machine({}),
    clock: systemClock,
    perform: (e) => seen.push(e),
    fatal: raise,
  })
  loop.input("early")
  assert.deepEqual(seen, [])
  loop.begin("start")
  assert.deepEqual(seen, ["start", "early"])
})

test("a deadline is never called before its time, and again until there is none", async () => {
  const done = new EventTarget()
  const rung: Instant[] = []
  const clocked = {
    deadline: after(systemClock(), milliseconds(20)),
    handle: () => [],
    expire(now: Instant) {
      assert.ok(now >= this.deadline)
      rung.push(now)
      this.deadline = rung.length < 3 ? after(now, milliseconds(rung.length === 1 ? -5 : 5)) : NEVER
      return rung.length < 3 ? [] : ["done"]
    },
  }
  const loop = new Loop<string, string>({
    machine: clocked,
    clock: systemClock,
    perform: () => done.dispatchEvent(new Event("done")),
    fatal: raise,
  })
  const finished = once(done, "done")
  loop.begin("start")
  await finished
  assert.equal(rung.length, 3)
})

test("after a standstill what has come in goes before what is due", async () => {
  const seen: string[] = []
  const done = new EventTarget()
  const clocked = {
    deadline: NEVER as Instant,
    handle(input: string) {
      if (input === "start") this.deadline = after(systemClock(), milliseconds(20))
      return [input]
    },
    expire() {
      this.deadline = NEVER
      return ["due"]
    },
  }
  const loop = new Loop<string, string>({
    machine: clocked,
    clock: systemClock,
    perform: (effect) => {
      seen.push(effect)
      if (effect === "due") done.dispatchEvent(new Event("due"))
    },
    fatal: raise,
  })
  const socket = createSocket("udp4").bind(0, "127.0.0.1")
  await once(socket, "listening")
  socket.on("message", () => loop.input("datagram"))
  const due = once(done, "due")
  loop.begin("start")
  const { deadline } = clocked
  socket.send("x", socket.address().port, "127.0.0.1")
  // Behind the sockets and before the timers of the next turn.
  setImmediate(() => {
    socket.send("y", socket.address().port, "127.0.0.1")
    while (systemClock() < after(deadline, milliseconds(60)));
  })
  await due
  socket.close()
  assert.equal(seen.at(-1), "due")
  assert.ok(seen.includes("datagram"), seen.join(" "))
})

test("an exception out of the machine stops the loop and is told, not swallowed", () => {
  const faults: unknown[] = []
  const seen: string[] = []
  const loop = new Loop({
    machine: machine({
      handle: (input) => {
        if (input === "bad") throw new Error("broken")
        return [input]
      },
    }),
    clock: systemClock,
    perform: (effect) => seen.push(effect),
    fatal: (fault) => faults.push(fault),
  })
  loop.begin("good")
  loop.input("bad")
  loop.input("late")
  assert.deepEqual(seen, ["good"])
  assert.equal((faults[0] as Error).message, "broken")
  assert.equal(faults.length, 1)
})
