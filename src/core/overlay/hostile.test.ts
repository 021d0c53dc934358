import assert from "node:assert/strict"
import { test } from "node:test"
import { OVERLAY, World, type WorldNode } from "../../../test/support/overlay-world.ts"
import { fakeAuthority } from "../identity/fake-cryptography.ts"
import { type NodeId, parseNodeId } from "../identity/node-id.ts"
import type { Instant } from "../kit/time.ts"
import { Framing } from "../link/framing.ts"
import type { Destination, ForwardingHeader, TransactionId } from "../reload/header.ts"
import { type MessageBody, overlayHash, readHeader, readPayload, writeMessage } from "../reload/message.ts"
import { signMessage } from "../reload/signing.ts"

const ANYONE = parseNodeId("00112233445566778899aabbccddeeff")
const TRANSACTION = "0123456789abcdef" as TransactionId
const PING: MessageBody = { kind: "ping-req", padding: new Uint8Array() }

/** A node that is no machine: it sends what the test says, over one link, and shows what comes back. */
class Stranger {
  readonly world: World
  readonly node: WorldNode
  readonly identity
  readonly link
  readonly #framing = new Framing(65_536)
  readonly #replies = new Framing(65_536)

  constructor(world: World, node: WorldNode, nodeId: NodeId = ANYONE) {
    this.world = world
    this.node = node
    this.identity = world.authority.issue({ nodeId })
    this.link = node.openRaw(this.identity.certificate.der)
  }

  header(destination: readonly Destination[], changes: Partial<ForwardingHeader> = {}): ForwardingHeader {
    return {
      overlay: overlayHash(this.world.cryptography, OVERLAY),
      configurationSequence: 1,
      ttl: 100,
      fragment: { last: true, offset: 0 },
      transaction: TRANSACTION,
      maxResponseLength: 0,
      via: [],
      destination,
      options: [],
      ...changes,
    }
  }

  payload(body: MessageBody, transaction = TRANSACTION): Uint8Array {
    const overlay = overlayHash(this.world.cryptography, OVERLAY)
    return signMessage(this.identity, { overlay, transaction, contents: { body, extensions: [] } })
  }

  get toNode(): readonly Destination[] {
    return [{ kind: "node", node: this.node.id }]
  }

  send(header: ForwardingHeader, payload: Uint8Array): void {
    this.sendBytes(this.#framing.frame(writeMessage(header, payload), this.world.now))
  }

  sendBytes(bytes: Uint8Array): void {
    this.node.give({ kind: "link-received", link: this.link, bytes })
  }

  /** Answers that have come over the link, by name; errors by number. */
  get answers(): readonly string[] {
    return this.node.sent(this.link).flatMap((bytes) =>
      this.#replies.receive(bytes, 0 as Instant).flatMap((event) => {
        if (event.kind !== "message") return []
        const { header, payload } = readHeader(event.bytes)
        if (header.transaction !== TRANSACTION) return []
        const { body } = readPayload(payload).contents
        return [body.kind === "error" ? `error ${body.code}` : body.kind]
      }),
    )
  }
}

function meet() {
  const world = new World()
  const [node] = world.ring(1)
  return { world, node: node!, stranger: new Stranger(world, node!) }
}

const refused = (node: WorldNode, cause: string) => node.counted("reload_refused_total", { cause })

test("a Ping of an enrolled node is answered", () => {
  const { stranger } = meet()
  stranger.send(stranger.header(stranger.toNode), stranger.payload(PING))
  assert.deepEqual(stranger.answers, ["ping-ans"])
})

test("a forged signature is dropped and counted", () => {
  const { node, stranger } = meet()
  const forged = stranger.payload(PING)
  forged[forged.length - 1]! ^= 1
  stranger.send(stranger.header(stranger.toNode), forged)
  stranger.send(stranger.header(stranger.toNode), stranger.payload(PING, "ffffffffffffffff" as TransactionId))
  assert.deepEqual(stranger.answers, [])
  assert.equal(refused(node, "signature"), 2)
})

test("a message of another overlay is dropped, counted, and logged once", () => {
  const { node, stranger } = meet()
  for (let i = 0; i < 3; i++)
    stranger.send(stranger.header(stranger.toNode, { overlay: 1 }), stranger.payload(PING))
  assert.deepEqual(stranger.answers, [])
  assert.equal(refused(node, "wrong-overlay"), 3)
  assert.equal(
    node.effects.filter((each) => each.kind === "log" && each.event === "overlay.wrong-overlay").length,
    1,
  )
})

test("a certificate that is not ours, not of this time, not of this overlay or none closes the link", () => {
  const { world, node } = meet()
  const { cryptography, authority } = world
  const foreign = fakeAuthority(cryptography, { overlay: OVERLAY, seed: 2 })
  const other = fakeAuthority(cryptography, { overlay: "other.example", seed: 1 })
  const past = { nodeId: ANYONE, notAfter: 1_000 as Instant }
  const two = { nodeId: ANYONE, otherNodeIds: [parseNodeId("1".repeat(32))] }
  const ders = [
    foreign.issue({ nodeId: ANYONE }).certificate.der,
    other.issue({ nodeId: ANYONE }).certificate.der,
    authority.issue(past).certificate.der,
    authority.issue(two).certificate.der,
    new TextEncoder().encode("no certificate"),
  ]
  for (const der of ders) {
    const link = node.openRaw(der)
    assert.ok(node.effects.some((each) => each.kind === "close-link" && each.link === link))
  }
  assert.equal(refused(node, "certificate"), ders.length)
})

test("garbage closes the link and hurts nobody else", () => {
  const { world, node, stranger } = meet()
  stranger.sendBytes(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"))
  assert.ok(node.effects.some((each) => each.kind === "close-link" && each.link === stranger.link))
  assert.equal(refused(node, "not-reload"), 1)
  const polite = new Stranger(world, node, parseNodeId("2".repeat(32)))
  polite.send(polite.header(polite.toNode), polite.payload(PING))
  assert.deepEqual(polite.answers, ["ping-ans"])
})

test("what cannot be served is answered with the RFC's error", () => {
  const cases: readonly (readonly [string, (stranger: Stranger) => void])[] = [
    [
      "error 20",
      (s) => s.send(s.header(s.toNode), s.payload({ kind: "unknown", code: 0x23, bytes: new Uint8Array() })),
    ],
    ["error 15", (s) => s.send(s.header(s.toNode, { configurationSequence: 0 }), s.payload(PING))],
    ["error 16", (s) => s.send(s.header(s.toNode, { configurationSequence: 2 }), s.payload(PING))],
    ["error 10", (s) => s.send(s.header(s.toNode, { ttl: 101 }), s.payload(PING))],
    [
      "error 7",
      (s) =>
        s.send(
          s.header(s.toNode, { options: [{ type: 9, flags: 2, value: new Uint8Array() }] }),
          s.payload(PING),
        ),
    ],
    [
      "error 2",
      (s) =>
        s.send(
          s.header(s.toNode),
          s.payload({ kind: "leave-req", leavingPeer: s.node.id, overlaySpecific: new Uint8Array() }),
        ),
    ],
    [
      "error 3",
      (s) =>
        s.send(
          s.header(s.toNode),
          s.payload({
            kind: "app-attach-req",
            ufrag: "",
            password: "",
            application: 7,
            role: "passive",
            candidates: [],
          }),
        ),
    ],
  ]
  for (const [answer, send] of cases) {
    const { stranger } = meet()
    send(stranger)
    assert.deepEqual(stranger.answers, [answer])
  }
})

test("a message above max-message-size is answered, and ends the link", () => {
  const { node, stranger } = meet()
  const bytes = writeMessage(stranger.header(stranger.toNode), new Uint8Array(70_000))
  stranger.sendBytes(new Framing(1 << 20).frame(bytes, stranger.world.now))
  assert.deepEqual(stranger.answers, ["error 11"])
  assert.ok(node.effects.some((each) => each.kind === "close-link" && each.link === stranger.link))
})

test("whatever is flipped in a message, the node lives and goes on", () => {
  const { world, node } = meet()
  for (let seed = 0; seed < 300; seed++) {
    const stranger = new Stranger(world, node, parseNodeId(seed.toString(16).padStart(32, "0")))
    const bytes = writeMessage(stranger.header(stranger.toNode), stranger.payload(PING))
    for (let flips = 0; flips < 3; flips++)
      bytes[Math.floor(bytes.length * world.random.next())]! ^= 1 << Math.floor(8 * world.random.next())
    stranger.sendBytes(new Framing(65_536).frame(bytes, world.now))
    node.give({ kind: "link-closed", link: stranger.link, reason: "done" })
  }
  assert.equal(node.fetch("nobody"), "absent")
})
