import assert from "node:assert/strict"
import { test } from "node:test"
import { World } from "../../../test/support/overlay-world.ts"
import { fromUtf8 } from "../kit/bytes.ts"
import type { Instant } from "../kit/time.ts"
import { readHeld } from "../storage/held-value.ts"
import { SUBSCRIBER } from "../storage/kinds.ts"

const names = (count: number) => Array.from({ length: count }, (_, i) => `user${i}`)

test("a node without bootstrap addresses is the fabric, and serves at once", () => {
  const world = new World()
  const [node] = world.ring(1)
  assert.deepEqual(node!.store("alice", "here"), {
    kind: "stored",
    copies: 1,
    path: { responder: node!.id, hops: 0, took: 5 },
  })
  assert.equal(node!.fetch("alice"), "here")
  assert.equal(node!.fetch("bob"), "absent")
})

for (const count of [2, 3, 8])
  test(`${count} nodes agree who is responsible, and what is stored on one is read on every other at once`, () => {
    const world = new World({ seed: count })
    const nodes = world.ring(count)
    for (const node of nodes) assert.equal(node.overlay.status.peers.length, count - 1)
    for (const [index, name] of names(20).entries()) {
      const writer = nodes[index % count]!
      const result = writer.store(name, name)
      assert.ok(result.kind === "stored")
      assert.equal(result.copies, Math.min(3, count))
      const holders = writer.overlay.holders(writer.resource(name))
      for (const node of nodes) {
        assert.deepEqual(node.overlay.holders(node.resource(name)), holders)
        assert.equal(node.records.has(writer.resource(name)), holders.includes(node.id))
      }
      for (const node of nodes) assert.equal(node.fetch(name), name)
    }
  })

test("what a peer can answer itself is at hand for it, at the responsible one and nowhere else", () => {
  const world = new World({ seed: 9 })
  const nodes = world.ring(4)
  const resource = nodes[0]!.resource("alice")
  const heldBy = (node: (typeof nodes)[number]) =>
    node.overlay
      .heldHere(resource, SUBSCRIBER.id, world.now as Instant)
      ?.read()
      .map((held) => fromUtf8(readHeld(held, SUBSCRIBER.model).value.value))
  const [responsible] = nodes[0]!.overlay.holders(resource)
  nodes[0]!.store("alice", "old")
  world.run(31_000) // Until the ring counts as unchanged, and the record as all there is.
  for (const text of ["old", "new"]) {
    nodes[0]!.store("alice", text)
    for (const node of nodes) assert.deepEqual(heldBy(node), node.id === responsible ? [text] : undefined)
  }
  nodes.find(({ id }) => id === responsible)!.crash()
  world.run(5_000)
  const [next] = nodes.find(({ id }) => id !== responsible)!.overlay.holders(resource)
  assert.notEqual(next, responsible)
  assert.deepEqual(heldBy(nodes.find(({ id }) => id === next)!), ["new"])
  assert.equal(nodes.find(({ id }) => id === next)!.fetch("alice"), "new")
})

test("a read or write that the dead responsible peer cannot answer goes to the next holder at once", () => {
  for (const how of ["reset", "silent"] as const) {
    const world = new World({ seed: 4 })
    const nodes = world.ring(5)
    world.run(31_000) // Until no holder counts as a newcomer, whose word alone is not taken.
    nodes[0]!.store("alice", "old")
    const [responsible] = nodes[0]!.overlay.holders(nodes[0]!.resource("alice"))
    const dead = nodes.find(({ id }) => id === responsible)!
    const asker = nodes.find((node) => !node.overlay.holders(node.resource("alice")).includes(node.id))!
    dead.crash(how)
    const started = world.now
    assert.equal(asker.fetch("alice"), "old", how)
    assert.ok(world.now - started < (how === "reset" ? 100 : 400), `${how}: ${world.now - started} ms`)
    const result = asker.store("alice", "new")
    assert.ok(result.kind === "stored" && result.copies === 3)
    assert.ok(world.now - started < 3_000, `${how}: ${world.now - started} ms`)
    for (const node of nodes) if (node !== dead) assert.equal(node.fetch("alice"), "new")
  }
})

test("newcomers in the places of two dead holders do not outvote the survivor that is slow to answer", () => {
  const world = new World({ seed: 6 })
  const nodes = world.ring(8)
  world.run(31_000)
  const name = "alice"
  nodes[0]!.store(name, "here")
  const holders = nodes[0]!.overlay.holders(nodes[0]!.resource(name))
  const asker = nodes.find(({ id, overlay }) => !overlay.holders(nodes[0]!.resource(name)).includes(id))!
  for (const holder of holders.slice(0, 2)) nodes.find(({ id }) => id === holder)!.crash("reset")
  nodes.find(({ id }) => id === holders[2])!.pause(1_500)
  world.run(100)
  assert.equal(asker.fetch(name), "here")
})

test("a silent peer is noticed in under three seconds, a reset one within 100 ms", () => {
  const world = new World({ seed: 5 })
  const nodes = world.ring(4)
  const isDown = (node: (typeof nodes)[number], id: string) =>
    node.effects.some((effect) => effect.kind === "peer-down" && effect.node === id)
  nodes[1]!.crash("silent")
  world.run(2_900)
  for (const node of [nodes[0]!, nodes[2]!, nodes[3]!]) assert.ok(isDown(node, nodes[1]!.id))
  nodes[2]!.crash("reset")
  world.run(99)
  for (const node of [nodes[0]!, nodes[3]!]) assert.ok(isDown(node, nodes[2]!.id))
})

test("after a death, and after the hold-down, every record has three copies again", () => {
  const world = new World({ seed: 6 })
  const nodes = world.ring(6)
  for (const name of names(60)) nodes[0]!.store(name, name)
  nodes[3]!.crash()
  world.run(10_000)
  const living = nodes.filter(({ isAlive }) => isAlive)
  for (const name of names(60)) {
    const holders = living.filter((node) => node.records.has(node.resource(name)))
    assert.equal(holders.length, 3, name)
  }
  for (const node of living) assert.equal(node.overlay.status.records.short, 0)
})

test("a peer that leaves hands over: three copies without it, and no read or write fails meanwhile", () => {
  const world = new World({ seed: 7 })
  const nodes = world.ring(5)
  for (const name of names(60)) nodes[0]!.store(name, name)
  const leaver = nodes[2]!
  leaver.give({ kind: "leave" })
  for (let round = 0; !leaver.effects.some(({ kind }) => kind === "left"); round++) {
    const result = nodes[round % 2]!.store(`meanwhile${round}`, "x")
    assert.ok(result.kind === "stored")
    assert.equal(nodes[3]!.fetch(`user${round % 60}`), `user${round % 60}`)
    assert.equal(nodes[3]!.fetch(`meanwhile${round}`), "x")
  }
  leaver.crash()
  const living = nodes.filter(({ isAlive }) => isAlive)
  for (const name of names(60)) {
    assert.equal(living.filter((node) => node.records.has(node.resource(name))).length, 3, name)
    assert.equal(nodes[4]!.fetch(name), name)
  }
  world.run(60_000)
  for (const node of living) assert.equal(node.overlay.status.peers.length, 3)
})

test("what is written while a node joins is not lost, nor unreadable for a moment", () => {
  const world = new World({ seed: 8 })
  const nodes = world.ring(3)
  for (const name of names(100)) nodes[0]!.store(name, name)
  const joiner = world.add()
  joiner.start([nodes[0]!.address])
  let written = 0
  while (joiner.overlay.status.state !== "joined" || written < 40) {
    const name = `new${written++}`
    const ticket = nodes[written % 3]!.startStore(name, name)
    world.run(1)
    const read = nodes[(written + 1) % 3]!.fetch(`user${written % 100}`)
    assert.equal(read, `user${written % 100}`)
    const result = nodes[written % 3]!.answer(ticket, "stored").result
    assert.ok(result.kind === "stored")
    assert.equal(nodes[(written + 2) % 3]!.fetch(name), name)
  }
  for (let i = 0; i < written; i++) assert.equal(joiner.fetch(`new${i}`), `new${i}`)
  for (const name of names(100)) assert.equal(joiner.fetch(name), name)
})

test("a farm that loses power comes back with everything, in whatever order its nodes start", () => {
  for (const order of [
    [0, 1, 2, 3],
    [2, 0, 3, 1],
  ]) {
    for (const pause of [0, 3_000]) {
      const world = new World({ seed: 9 })
      const nodes = world.ring(4)
      for (const name of names(30)) nodes[0]!.store(name, name)
      for (const node of nodes) node.crash()
      world.run(500)
      for (const index of order) {
        nodes[index]!.start(nodes.filter((_, other) => other !== index).map(({ address }) => address))
        world.run(pause)
      }
      world.until(
        () =>
          nodes.every(
            ({ overlay }) => overlay.status.peers.length === 3 && overlay.status.state === "joined",
          ),
        "one ring",
      )
      for (const node of nodes)
        for (const name of names(30)) assert.equal(node.fetch(name), name, `${order} ${pause}`)
    }
  }
})

test("a node without data waits for its bootstrap addresses; one with data serves alone and goes on looking", () => {
  const world = new World({ seed: 10 })
  const [first] = world.ring(1)
  first!.store("alice", "here")
  first!.crash()
  const fresh = world.add()
  fresh.start([first!.address])
  first!.start([{ host: "10.0.0.99", port: 6084 }])
  world.run(1_500)
  assert.equal(first!.overlay.status.state, "joined")
  assert.equal(first!.fetch("alice"), "here")
  world.until(() => fresh.overlay.status.state === "joined", "joined")
  assert.equal(fresh.fetch("alice"), "here")
})

test("a node whose only bootstrap address is its own is the first", () => {
  const world = new World({ seed: 12 })
  const node = world.add()
  node.start([node.address])
  world.until(() => node.overlay.status.state === "joined", "joined", 1_000)
})

test("two rings that meet become one, and the newest of each value wins", () => {
  const world = new World({ seed: 11 })
  const nodes = world.ring(6)
  for (const name of names(20)) nodes[0]!.store(name, "old")
  const addresses = nodes.map(({ address }) => address)
  const isEven = (_: unknown, index: number) => index % 2 === 0
  world.part(
    addresses.filter(isEven),
    addresses.filter((_, index) => !isEven(_, index)),
  )
  world.run(10_000)
  for (const node of nodes) assert.equal(node.overlay.status.peers.length, 2)
  for (const [index, name] of names(20).entries()) {
    nodes[0]!.store(name, index % 2 ? "even, later" : "even, earlier")
    nodes[1]!.store(name, index % 2 ? "odd, earlier" : "odd, later")
    if (index % 2) nodes[0]!.store(name, "even, later")
  }
  world.network.heal()
  world.until(() => nodes.every(({ overlay }) => overlay.status.peers.length === 5), "one ring")
  world.run(5_000)
  for (const node of nodes)
    for (const [index, name] of names(20).entries())
      assert.equal(node.fetch(name), index % 2 ? "even, later" : "odd, later")
})

test("what a full disk did not take is on disk when there is room again, and is not called stored before", () => {
  const world = new World({ seed: 21 })
  const nodes = world.ring(3)
  const full = nodes[1]!
  full.isDiskFull = true
  const tickets = names(20).map((name) => nodes[0]!.startStore(name, name))
  world.run(4_000)
  for (const name of names(20)) assert.ok(!full.records.has(full.resource(name)))
  full.isDiskFull = false
  world.run(30_000)
  for (const ticket of tickets) nodes[0]!.answer(ticket, "stored")
  for (const name of names(20)) assert.ok(full.records.has(full.resource(name)), name)
  for (const node of nodes) assert.equal(node.overlay.status.records.short, 0)
})

test("when all others have taken their leave, the last one knows at once what there is and what is not", () => {
  const world = new World({ seed: 22 })
  const nodes = world.ring(5)
  for (const name of names(20)) nodes[0]!.store(name, name)
  for (const node of nodes.slice(1)) node.leave()
  for (const name of names(20)) assert.equal(nodes[0]!.fetch(name), name)
  for (const name of names(20)) assert.equal(nodes[0]!.fetch(`no-${name}`), "absent")
})
