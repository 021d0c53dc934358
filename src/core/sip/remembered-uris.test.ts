import assert from "node:assert/strict"
import { test } from "node:test"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { parseNameAddress } from "./name-address.ts"
import { parseUri } from "./uri.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

test("addresses and URIs that are remembered do not keep the messages in which they stood", () => {
  collect()
  const before = process.memoryUsage().heapUsed
  for (let number = 0; number < 1_000; number++) {
    const address = `<sip:phone${number}@198.51.100.7:5060>;tag=${number}`
    const message = `${address} `.repeat(1_000)
    const { uri } = parseNameAddress(message.slice(0, address.length))
    assert.equal(parseUri(message.slice(1, 1 + uri.length)).kind, "sip")
  }
  collect()
  const grown = process.memoryUsage().heapUsed - before
  // Each message is some 45 kB.
  assert.ok(grown < 4_000_000, `what is remembered of a thousand addresses keeps ${grown} bytes`)
})
