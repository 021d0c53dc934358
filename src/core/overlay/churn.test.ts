import assert from "node:assert/strict"
import { test } from "node:test"
import { SeededRandom } from "../../../src/core/kit/random.ts"
import { World, type WorldNode } from "../../../test/support/overlay-world.ts"

const SEEDS = Number(process.env["CHURN_SEEDS"] ?? 8)
const FIRST = Number(process.env["CHURN_FIRST"] ?? 1)
const NAMES = 12

// CHURN_SEEDS=200 CHURN_FIRST=1000 looks farther than a quick run can.

/** Nodes come and go one at a time, now in order, now not, while others write and read. */
class Story {
  readonly world: World
  readonly random: SeededRandom
  readonly acknowledged = new Map<string, number>()
  readonly seed: number
  #version = 0
  #writes: {
    readonly node: WorldNode
    readonly ticket: number
    readonly name: string
    readonly version: number
  }[] = []

  constructor(seed: number) {
    this.seed = seed
    this.world = new World({ seed, fullMeshLimit: 256 })
    this.random = new SeededRandom(seed)
  }

  get living(): readonly WorldNode[] {
    return this.world.nodes.filter(({ isAlive }) => isAlive)
  }

  run(): void {
    this.world.ring(3 + this.#below(4))
    for (let change = 0; change < 6; change++) {
      this.#change()
      // A death is repaired after the hold-down; what else changes is done when it is done.
      const until = this.world.now + 9_000
      while (this.world.now < until) this.#traffic()
    }
    this.#collect(true)
    for (const node of this.living) for (const name of this.acknowledged.keys()) this.#read(node, name)
  }

  #change(): void {
    const { living } = this
    const dead = this.world.nodes.find(({ isAlive }) => !isAlive)
    const bootstrap = living.map(({ address }) => address)
    const choice = this.#below(5)
    const goes = this.#one(living)
    if (choice === 0 || living.length < 4) return this.world.add().start(bootstrap)
    if (choice === 1 && dead) return dead.start(bootstrap)
    if (choice === 2) return this.#leave(goes)
    goes.crash(choice === 3 ? "reset" : "silent")
  }

  #leave(node: WorldNode): void {
    node.give({ kind: "leave" })
    for (let i = 0; i < 100 && !node.effects.some(({ kind }) => kind === "left"); i++) this.#traffic(node)
    assert.ok(
      node.effects.some(({ kind }) => kind === "left"),
      `${this.seed}: it leaves`,
    )
    node.crash()
  }

  #traffic(without?: WorldNode): void {
    const able = this.living.filter((node) => node !== without && node.overlay.status.state === "joined")
    const node = this.#one(able)
    const name = `user${this.#below(NAMES)}`
    // One write of a name at a time: which of two at once is the later, nobody can say.
    if (this.random.next() < 0.5 && !this.#writes.some((write) => write.name === name)) {
      const version = ++this.#version
      this.#writes.push({ node, ticket: node.startStore(name, String(version)), name, version })
    } else this.#read(node, name)
    this.world.run(this.#below(400))
    this.#collect(false)
  }

  #collect(isLast: boolean): void {
    if (isLast) this.world.run(16_000)
    this.#writes = this.#writes.filter(({ node, ticket, name, version }) => {
      const answer = node.answers.get(ticket)
      if (answer?.kind === "stored" && answer.result.kind === "stored") this.acknowledged.set(name, version)
      return answer === undefined && node.isAlive
    })
    if (isLast) assert.deepEqual(this.#writes, [], `${this.seed}: every write is answered`)
  }

  #read(node: WorldNode, name: string): void {
    const least = this.acknowledged.get(name)
    const found = node.fetch(name)
    if (least === undefined) return
    const at = `seed ${this.seed}, ${this.world.now}: ${node.id} reads ${name} of ${node.resource(name)}`
    assert.ok(Number(found) >= least, `${at}: ${found}, and ${least} was acknowledged`)
  }

  #below(limit: number): number {
    return Math.floor(limit * this.random.next())
  }

  #one<T>(things: readonly T[]): T {
    return things[this.#below(things.length)]!
  }
}

test("whatever joins, leaves, dies or returns, every acknowledged write is read", () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) new Story(seed).run()
})
