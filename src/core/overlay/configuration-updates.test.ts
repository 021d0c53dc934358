import assert from "node:assert/strict"
import { test } from "node:test"
import { configurationOf } from "../../../src/sim/configuration.ts"
import {
  OVERLAY,
  type World as OverlayWorld,
  World,
  type WorldNode,
} from "../../../test/support/overlay-world.ts"
import type { Identity } from "../identity/certificate.ts"
import { parseNodeId } from "../identity/node-id.ts"
import { after, minutes } from "../kit/time.ts"
import type { Configuration } from "../reload/configuration.ts"
import { parseConfiguration } from "../reload/configuration-document.ts"
import { writeConfiguration } from "../reload/configuration-writer.ts"
import { SUBSCRIBER } from "../storage/kinds.ts"

const SIGNER = parseNodeId("51".repeat(16))

interface Signed {
  readonly world: OverlayWorld
  readonly nodes: readonly WorldNode[]
  readonly signer: Identity
  write(changes: Partial<Configuration>, by?: Identity): string
}

/** A ring whose nodes hold a signed document of sequence 7. */
function signedRing(seed: number, count: number, options: { fullMeshLimit?: number } = {}): Signed {
  const world = new World({ seed, ...options })
  const signer = world.authority.issue({ nodeId: SIGNER, userName: `configuration@${OVERLAY}` })
  const write = (changes: Partial<Configuration>, by: Identity = signer) => {
    const signers = { configurationSigners: [SIGNER], kindSigners: [SIGNER] }
    return writeConfiguration(configurationOf(world.authority, { sequence: 7, ...signers, ...changes }), by)
  }
  world.document = write({})
  world.configuration = parseConfiguration(world.document).configuration
  return { world, nodes: world.ring(count), signer, write }
}

/** The sequence of the newest document that the host of that node was given to keep. */
function kept(node: WorldNode): number | undefined {
  const configured = node.effects.flatMap((effect) => (effect.kind === "configured" ? [effect] : []))
  return configured.at(-1)?.configuration.sequence
}

test("a new configuration reaches every node of a farm, and no question fails meanwhile", () => {
  const { world, nodes, write } = signedRing(11, 8)
  nodes[3]!.store("alice", "1")
  nodes[2]!.give({ kind: "configuration", document: write({ sequence: 8 }) })
  // At once, while some nodes know of it and some do not.
  for (const node of nodes) assert.equal(node.fetch("alice"), "1")
  assert.equal(nodes[5]!.store("alice", "2").kind, "stored")
  world.until(() => nodes.every((node) => kept(node) === 8), "known to all")
  for (const node of nodes) assert.equal(node.fetch("alice"), "2")
})

test("where nodes are linked to few others, each hands the configuration on to its neighbors", () => {
  const { world, nodes, write } = signedRing(12, 24, { fullMeshLimit: 4 })
  nodes[0]!.give({ kind: "configuration", document: write({ sequence: 8 }) })
  world.until(() => nodes.every((node) => kept(node) === 8), "known to all")
})

test("a node that was away gets the newer configuration when it comes back, also past the wrap of the sequence", () => {
  const { world, nodes, write } = signedRing(13, 4)
  const [, , , late] = nodes as [WorldNode, WorldNode, WorldNode, WorldNode]
  late.store("bob", "here")
  late.crash()
  world.run(10_000)
  // RFC 6940 §6.3.2.1: 65534 is followed by 0, and 0 is later than 65000.
  nodes[0]!.give({ kind: "configuration", document: write({ sequence: 30_000 }) })
  nodes[0]!.give({ kind: "configuration", document: write({ sequence: 60_000 }) })
  nodes[0]!.give({ kind: "configuration", document: write({ sequence: 3 }) })
  world.until(() => nodes.slice(0, 3).every((node) => kept(node) === 3), "known to those that live")
  late.start([nodes[0]!.address])
  world.until(() => late.overlay.status.state === "joined", "joined")
  // The node that was away still has 7, which is later than 3: it keeps its own until a later one comes.
  nodes[1]!.give({ kind: "configuration", document: write({ sequence: 8 }) })
  world.until(() => kept(late) === 8, "known to the node that was away")
  assert.equal(late.fetch("bob"), "here")
})

test("what is older, changed, of another signer or expired is refused, and nobody acts on it", () => {
  const { world, nodes, write } = signedRing(14, 3)
  const impostor = world.authority.issue({ nodeId: nodes[1]!.id })
  const documents = [
    write({ sequence: 6 }),
    write({ sequence: 7, badNodes: [nodes[2]!.id] }),
    write({ sequence: 8 }).replace('sequence="8"', 'sequence="9"'),
    write({ sequence: 8, badNodes: [nodes[2]!.id] }, impostor),
    write({ sequence: 8, expiration: after(world.now, minutes(-1)) }),
    "<overlay/>",
  ]
  for (const document of documents) nodes[0]!.give({ kind: "configuration", document })
  world.run(5_000)
  for (const node of nodes) {
    assert.equal(kept(node), undefined)
    assert.equal(node.overlay.status.peers.length, 2)
  }
  const refusals = nodes[0]!.effects.filter(
    (effect) => effect.kind === "log" && effect.event === "overlay.configuration-refused",
  )
  assert.equal(refusals.length, documents.length)
})

test("a revoked node is heard no longer, learns of it, and loses nobody what it had written", () => {
  const { world, nodes, write } = signedRing(15, 5)
  const [first, bad] = nodes as [WorldNode, WorldNode]
  const users = Array.from({ length: 20 }, (_, index) => `user-${index}`)
  for (const user of users) assert.equal(bad.store(user, user).kind, "stored")
  first.give({ kind: "configuration", document: write({ sequence: 8, badNodes: [bad.id] }) })
  const others = nodes.filter((node) => node !== bad)
  for (const node of others) for (const user of users) assert.equal(node.fetch(user), user)
  world.until(
    () => others.every((node) => node.overlay.status.peers.every((peer) => peer.node !== bad.id)),
    "cut off by all",
  )
  assert.equal(kept(bad), 8)
  assert.equal(bad.overlay.status.peers.length, 0)
  // Long after: by then values under the revoked certificate are read no more, so they bear another signature.
  world.run(120_000)
  for (const node of others)
    for (const user of users) {
      const { result } = node.answer(node.startFetch(user), "fetched")
      assert.ok(result.kind === "found")
      const [value] = result.values.get(SUBSCRIBER.id) ?? []
      assert.equal(new TextDecoder().decode(value!.data.value.value), user)
      assert.notEqual(value!.signer.nodeIds[0], bad.id)
    }
  assert.ok(!others.some((node) => [...node.overlay.status.peers].some(({ node: id }) => id === bad.id)))
})

test("values outlive the certificate that signed them: the responsible peer signs them anew in time", () => {
  const world = new World({ seed: 16 })
  const nodes = world.ring(4)
  const [writer] = nodes as [WorldNode]
  const life = minutes(10)
  const shortLived = world.authority.issue({
    nodeId: writer.id,
    roles: ["provisioner", "registrar"],
    notBefore: world.now,
    notAfter: after(world.now, life),
  })
  writer.give({ kind: "identity", identity: shortLived })
  for (const user of ["alice", "bob", "carol"]) assert.equal(writer.store(user, user).kind, "stored")
  world.run(0.7 * life)
  writer.give({ kind: "identity", identity: writer.identity })
  world.run(0.5 * life)
  for (const node of nodes) for (const user of ["alice", "bob", "carol"]) assert.equal(node.fetch(user), user)
})
