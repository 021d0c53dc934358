import assert from "node:assert/strict"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { after, before, test } from "node:test"
import type { DnsQuestion } from "../../core/service/sip-server-interface.ts"
import { createDns, type Dns, type DnsAnswer } from "./dns.ts"

// A name server of a few names: RFC 1035 §4 by hand.
const RECORDS: Readonly<Record<string, { readonly type: number; readonly data: readonly number[] }>> = {
  "a.test": { type: 1, data: [192, 0, 2, 7] },
  // priority 1, weight 2, port 5060, target h.
  "_sip._udp.test": { type: 33, data: [0, 1, 0, 2, 0x13, 0xc4, 1, 0x68, 0] },
  // order 10, preference 20, "s", "SIP+D2T", "", replacement h.
  "naptr.test": {
    type: 35,
    data: [0, 10, 0, 20, 1, 0x73, 7, 0x53, 0x49, 0x50, 0x2b, 0x44, 0x32, 0x54, 0, 1, 0x68, 0],
  },
}

const server = createSocket("udp4", (query, from) => {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length))
    at += length + 1
  }
  const name = labels.join(".")
  if (name === "silent.test") return
  const question = query.subarray(12, at + 5)
  const record = RECORDS[name]
  const answers = record && query.readUInt16BE(at + 1) === record.type ? [record] : []
  const code = name === "broken.test" ? 2 : record ? 0 : 3
  const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80 | code, 0, 1, 0, answers.length, 0, 0, 0, 0])
  const bodies = answers.map(({ type, data }) =>
    Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length, ...data]),
  )
  server.send(Buffer.concat([header, question, ...bodies]), from.port, from.address)
})

let dns: Dns
before(async () => {
  server.bind(0, "127.0.0.1")
  await once(server, "listening")
  dns = createDns([`127.0.0.1:${server.address().port}`])
})
after(() => {
  dns.stop()
  server.close()
})

const ask = (type: DnsQuestion["type"], name: string) =>
  new Promise<DnsAnswer>((resolve) => dns.resolve({ type, name }, resolve))

test("records come in the words of RFC 3263", async () => {
  assert.deepEqual(await ask("A", "a.test"), [{ type: "A", address: "192.0.2.7" }])
  assert.deepEqual(await ask("SRV", "_sip._udp.test"), [
    { type: "SRV", priority: 1, weight: 2, port: 5060, target: "h" },
  ])
  assert.deepEqual(await ask("NAPTR", "naptr.test"), [
    { type: "NAPTR", order: 10, preference: 20, flags: "s", service: "SIP+D2T", replacement: "h" },
  ])
})

test("no such name, no such records, and a name that cannot be are empty answers", async () => {
  assert.deepEqual(await ask("A", "nobody.test"), [])
  assert.deepEqual(await ask("AAAA", "a.test"), [])
  assert.deepEqual(await ask("A", `${"x".repeat(64)}.test`), [])
})

test("a server that fails, or is silent, is a failure, and in time", async () => {
  assert.equal(await ask("A", "broken.test"), "failed")
  assert.equal(await ask("A", "silent.test"), "failed")
})

test("numbers and localhost are known without asking", async () => {
  assert.deepEqual(await ask("A", "192.0.2.1"), [{ type: "A", address: "192.0.2.1" }])
  assert.deepEqual(await ask("AAAA", "192.0.2.1"), [])
  assert.deepEqual(await ask("AAAA", "2001:db8::1"), [{ type: "AAAA", address: "2001:db8::1" }])
  assert.deepEqual(await ask("SRV", "192.0.2.1"), [])
  assert.deepEqual(await ask("A", "LocalHost."), [{ type: "A", address: "127.0.0.1" }])
  assert.deepEqual(await ask("NAPTR", "localhost"), [])
})
