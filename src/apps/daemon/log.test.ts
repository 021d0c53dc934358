import assert from "node:assert/strict"
import { test } from "node:test"
import { log } from "../../core/kit/log.ts"
import { createLog, plainLine } from "./log.ts"

function remembering() {
  const lines: string[] = []
  return { lines, destination: { write: (line: string) => void lines.push(line) } }
}

test("a plain line has time, level, event and fields; what is no plain word is quoted", () => {
  const event = log("warn", "sip.refused", {
    status: 403,
    cause: 'wrong "password"',
    from: "sip:a@b",
    to: undefined,
  })
  assert.equal(
    plainLine(event, new Date(0)),
    '1970-01-01T00:00:00.000Z warn  sip.refused status=403 cause="wrong \\"password\\"" from=sip:a@b',
  )
})

test("nothing that came from outside can begin a line of its own, or steer a terminal", () => {
  const line = plainLine(
    log("info", "sip.refused", { from: "x\r\n1970 forged\x1b[2J\u009b31m" }),
    new Date(0),
  )
  assert.doesNotMatch(line, /\p{C}/u)
})

test("JSON lines are one object each, with the event's name and fields", () => {
  const { lines, destination } = remembering()
  createLog({ format: "json", level: "info" }, destination)(log("error", "host.fault", { cause: "x\ny" }))
  assert.equal(lines.length, 1)
  const { level, event, cause, time } = JSON.parse(lines[0]!) as Record<string, unknown>
  assert.deepEqual([level, event, cause], ["error", "host.fault", "x\ny"])
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/)
})

test("events below the level are not written, in either format", () => {
  for (const format of ["plain", "json"] as const) {
    const { lines, destination } = remembering()
    const write = createLog({ format, level: "warn" }, destination)
    for (const level of ["debug", "info", "warn", "error"] as const) write(log(level, "x"))
    assert.equal(lines.length, 2, format)
  }
})
