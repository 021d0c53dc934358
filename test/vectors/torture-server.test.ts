import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { parseMessage } from "../../src/core/sip/parse.ts"
import { canonicalUser, parseUri } from "../../src/core/sip/uri.ts"
import { Farm, statusOf } from "../support/sip-farm.ts"
import { RFC_4475, TORTURE, type TortureMessage } from "./torture.ts"

/** What a server does that serves the domain of the Request-URI, and knows the user in it. */
function torment({ file, grammar }: TortureMessage, bytes: Uint8Array) {
  const { domain, user } = grammar === "valid" ? addresseeOf(bytes) : { domain: "example.com", user: "user" }
  const farm = new Farm(1, { domain })
  const name = `${user}@${domain}`
  const nobody = "0".repeat(32)
  farm.subscribers.set(name, { name, ha1: { md5: nobody, sha256: nobody } })
  const node = farm.nodes[0]!
  const contact = "sip:phone@192.0.2.77:5060"
  farm.bindings.set(
    name,
    new Map([[node.id, { bindings: [bindingTo(contact)], tombstones: [], clearedBefore: 0 }]]),
  )
  const callee = farm.phone("callee", "UDP", "192.0.2.77")
  const sender = farm.phone("sender", "UDP", "192.0.2.99")
  assert.doesNotThrow(() => node.handle({ kind: "received", flow: sender.flowTo(node), bytes }), `${file}`)
  farm.advance(1_000)
  const answers = sender.inbox.map(statusOf).filter((status) => status > 100)
  return { status: answers[0], relayed: callee.inbox.length > 0 || node.lost.length > 0 }
}

function addresseeOf(bytes: Uint8Array) {
  const message = parseMessage(bytes)
  const uri = message.kind === "request" ? parseUri(message.uri) : undefined
  return uri?.kind === "sip"
    ? { domain: uri.host, user: canonicalUser(uri) }
    : { domain: "example.com", user: "user" }
}

const bindingTo = (contact: string) => ({
  contact,
  parameters: "",
  q: 1_000,
  path: [],
  callId: "1",
  cseq: 1,
  instance: undefined,
  regId: undefined,
  transport: "UDP" as const,
  source: "192.0.2.77:5060",
  flow: undefined,
  expires: Number.MAX_SAFE_INTEGER,
  version: 1,
})

/** Anything but a refusal of the message as such: its sender is asked who he is, or told who or what is not there. */
const GOES_ON = [200, 401, 403, 404, 405, 407, 480, 481]

for (const message of TORTURE) {
  const { name, section, serverVerdict } = message
  const rfc = RFC_4475.includes(message) ? "RFC 4475" : "RFC 5118"
  test(`${rfc} §${section} ${name}: a server's verdict is ${serverVerdict}`, () => {
    const { status, relayed } = torment(message, new Uint8Array(readFileSync(message.file)))
    switch (serverVerdict) {
      case "process":
        assert.ok(relayed || GOES_ON.includes(status ?? 0), `${status}`)
        break
      case "drop":
      case "relay": // To where we never were: the Via below is not ours, so nobody waits for it.
        assert.equal(status, undefined)
        assert.equal(relayed, false)
        break
      default:
        assert.equal(status, Number(serverVerdict))
    }
  })
}
