import assert from "node:assert/strict"
import { test } from "node:test"
import { cryptography, NODES, NOW } from "../../../test/support/fabric-records.ts"
import { configurationOf } from "../../sim/configuration.ts"
import { fakeAuthority } from "../identity/fake-cryptography.ts"
import { fromLatin1, toLatin1 } from "../kit/bytes.ts"
import { SeededRandom } from "../kit/random.ts"
import type { Flow } from "../sip/transport.ts"
import type { NodeEffect } from "./interface.ts"
import { createNode } from "./node.ts"

const authority = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 })

const configuration = configurationOf(authority)

function nodeWith(roles: readonly string[], keys: number) {
  return createNode({
    identity: authority.issue({ nodeId: NODES[0], roles }),
    cryptography,
    random: new SeededRandom(1),
    configuration,
    advertised: { host: "192.0.2.1", port: 6084 },
    listeners: [{ transport: "UDP", advertised: { host: "192.0.2.1", port: 5060 } }],
    aliases: [],
    trusted: [],
    fabricKeys: Array.from({ length: keys }, (_, epoch) => ({ epoch, key: new Uint8Array(32) })),
    digestAlgorithms: ["MD5"],
    version: "test",
  })
}

const flow: Flow = {
  transport: "UDP",
  local: { host: "192.0.2.1", port: 5060 },
  remote: { host: "192.0.2.9", port: 31_000 },
  connection: undefined,
  node: undefined,
}

const request = (method: string) =>
  fromLatin1(
    [
      `${method} sip:example.org SIP/2.0`,
      "Via: SIP/2.0/UDP 10.1.1.1:5060;rport;branch=z9hG4bK1",
      "From: <sip:alice:hidden@example.org>;tag=1",
      "To: <sip:alice@example.org>",
      "Call-ID: call",
      `CSeq: 1 ${method}`,
      "Max-Forwards: 70",
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n"),
  )

const sentBy = (effects: readonly NodeEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "send" ? [toLatin1(effect.bytes)] : []))

for (const [what, roles, keys, cause] of [
  ["without a fabric key", ["registrar", "proxy"], 0, "enrolment gave it no fabric key"],
  ["without a SIP role", ["relay"], 1, "it has neither role registrar nor role proxy"],
] as const) {
  test(`a node ${what} is a peer only, starts, and tells phones why it does not serve them`, () => {
    const node = nodeWith(roles, keys)
    const started = node.handle({ kind: "start", bootstrap: [] }, NOW)
    assert.ok(started.some((effect) => effect.kind === "health" && effect.health.state === "healthy"))
    const effects = node.handle({ kind: "received", flow, bytes: request("REGISTER") }, NOW)
    const [answer] = sentBy(effects)
    assert.match(answer!, /^SIP\/2\.0 503 [\s\S]*\r\nRetry-After: \d+\r\n/)
    assert.ok(answer!.includes(`Warning: 399 example.org "this node is a peer only: ${cause}"`))
    assert.match(answer!, /;rport=31000;branch=z9hG4bK1;received=192\.0\.2\.9\r\n/)
    const logs = effects.flatMap((effect) => (effect.kind === "log" ? [effect] : []))
    assert.deepEqual(
      logs.map(({ event, fields }) => [event, fields["from"]]),
      [["sip.refused", "sip:alice@example.org"]],
    )
    assert.deepEqual(sentBy(node.handle({ kind: "received", flow, bytes: request("ACK") }, NOW)), [])
    assert.deepEqual(sentBy(node.handle({ kind: "received", flow, bytes: fromLatin1("hello") }, NOW)), [])
    assert.equal(node.status(NOW).sip.registrations, 0)
  })
}
