import assert from "node:assert/strict"
import { test } from "node:test"
import { Headers } from "../sip/message.ts"
import type { Flow } from "../sip/transport.ts"
import { formatVia, parseVia } from "../sip/via.ts"
import { markReceived, reopenedHop, responseHop } from "./response-route.ts"
import { topViaText, withoutTopVia, withTopVia } from "./via-stack.ts"

const flow: Flow = {
  transport: "UDP",
  local: { host: "192.0.2.1", port: 5060 },
  remote: { host: "198.51.100.7", port: 4_000 },
  connection: undefined,
  node: undefined,
}
const marked = (via: string) => formatVia(markReceived(parseVia(via), flow))

test("received is added where sent-by is not the source, and not believed where it came along", () => {
  assert.equal(marked("SIP/2.0/UDP 198.51.100.7;branch=b"), "SIP/2.0/UDP 198.51.100.7;branch=b")
  assert.equal(
    marked("SIP/2.0/UDP phone.example;received=9.9.9.9;branch=b"),
    "SIP/2.0/UDP phone.example;received=198.51.100.7;branch=b",
  )
  assert.equal(marked("SIP/2.0/UDP 198.51.100.7;received=9.9.9.9"), "SIP/2.0/UDP 198.51.100.7")
  assert.equal(
    marked("SIP/2.0/UDP 198.51.100.7:5060;rport=1"),
    "SIP/2.0/UDP 198.51.100.7:5060;rport=4000;received=198.51.100.7",
  )
})

test("maddr of a Via is obeyed, and the port of sent-by defaults to 5060: RFC 3261 §18.2.2", () => {
  const remoteOf = (via: string) => {
    const hop = responseHop(parseVia(via), flow)
    return hop.kind === "flow" ? hop.flow.remote : undefined
  }
  assert.deepEqual(remoteOf("SIP/2.0/UDP p.example;maddr=192.0.2.77"), { host: "192.0.2.77", port: 5060 })
  assert.deepEqual(remoteOf("SIP/2.0/UDP p.example"), { host: "198.51.100.7", port: 5060 })
  assert.deepEqual(remoteOf("SIP/2.0/UDP p.example;rport"), flow.remote)
})

test("no connection is opened to a browser, and one to a node by its Node-ID", () => {
  const via = parseVia("SIP/2.0/WSS df7jal23ls0d.invalid;branch=b")
  assert.equal(reopenedHop(via, { ...flow, transport: "WSS", connection: 1 }), undefined)
  const node = "00112233445566778899aabbccddeeff"
  assert.deepEqual(reopenedHop(via, { ...flow, transport: "TLS", connection: 2, node }), {
    kind: "node",
    node,
  })
})

test("Via values are a stack, whether they share a field or not", () => {
  const headers = new Headers([
    { name: "Via", value: 'SIP/2.0/UDP a;x="," , SIP/2.0/UDP b' },
    { name: "To", value: "<sip:x>" },
    { name: "Via", value: "SIP/2.0/UDP c" },
  ])
  assert.equal(topViaText(headers), 'SIP/2.0/UDP a;x=","')
  const other = parseVia("SIP/2.0/UDP new")
  assert.deepEqual(withTopVia(headers, other).all("Via"), ["SIP/2.0/UDP new, SIP/2.0/UDP b", "SIP/2.0/UDP c"])
  const popped = withoutTopVia(headers)
  assert.deepEqual(popped.all("Via"), ["SIP/2.0/UDP b", "SIP/2.0/UDP c"])
  assert.deepEqual(withoutTopVia(withoutTopVia(popped)).fields, [{ name: "To", value: "<sip:x>" }])
})
