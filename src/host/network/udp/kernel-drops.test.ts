import assert from "node:assert/strict"
import { test } from "node:test"
import { dropsOfPort } from "./kernel-drops.ts"

// As Linux 6.1 prints it; 13C4 is 5060.
const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  277: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20931 2 0000000000000000 17
  277: 0200007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20932 2 0000000000000000 3
  512: 00000000:14AF 00000000:13C4 07 00000000:00000000 00:00000000 00000000   104        0 17121 2 0000000000000000 9
`

test("the drops of a port are the sum over its sockets", () => {
  assert.equal(dropsOfPort(TABLE, 5060), 20)
  assert.equal(dropsOfPort(TABLE, 5295), 9)
})

test("of a port that nobody has, nothing is known", () => {
  assert.equal(dropsOfPort(TABLE, 5061), undefined)
})
