import assert from "node:assert/strict"
import { test } from "node:test"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import fc from "fast-check"
import { ownText } from "./own-text.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

test("a copy says the same, however long it is", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), fc.constantFrom(1, 7, 100), (text, times) => {
      const long = text.repeat(times)
      assert.equal(ownText(long), long)
    }),
  )
})

test("words of large messages that are kept as copies do not keep the messages", () => {
  const kept: string[] = []
  collect()
  const before = process.memoryUsage().heapUsed
  for (let message = 0; message < 1_000; message++) {
    const text = `${message} `.repeat(10_000)
    kept.push(ownText(text.slice(1_000, 1_040)))
  }
  collect()
  const grown = process.memoryUsage().heapUsed - before
  // Each message is 20 to 50 kB.
  assert.ok(grown < 2_000_000, `${kept.length} copies keep ${grown} bytes`)
})
