// `npm run chaos:partition`: parts a farm into two halves, changes users and registrations on both sides, lets them
// meet again, and prints what came of it. Needs root, since it makes networks of its own.
//
//   npm run chaos:partition -- [--seconds 60] [--nodes 4] [--json]

import { parseArgs } from "node:util"
import { until } from "../test/interop/support/programs.ts"
import { Halves } from "./partition/halves.ts"
import { HalvedNetwork, isInside, NetworkError, runInside } from "./partition/network.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    nodes: { type: "string", default: "4" },
    json: { type: "boolean", default: false },
  },
})
/** How long halves that meet are waited for. What the figure has to be, the reader knows. */
const PATIENCE = 120_000
/** What has been removed must not come back later either. */
const AFTERWARDS = 10_000

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const sinceNow = () => {
  const start = performance.now()
  return () => Math.round(performance.now() - start) / 1_000
}

/** Before the cut: users of whom some stay, some move, some leave and some go. */
async function furnish(halves: Halves): Promise<void> {
  const [first] = halves.nodes
  for (const [index, user] of USERS.entries()) {
    if (!(await halves.addUser(first!, user))) throw new Error(`${user} cannot be added`)
    const node = halves.nodes[index % halves.nodes.length]!
    if (!(await halves.register(node, user))) throw new Error(`${user} cannot register`)
  }
}

const USERS = ["stay", "move", "leave", "go"].flatMap((fate) => names(fate, 6))

/** What one half does while it is alone: of each fate every second user, and users of its own. */
async function change(halves: Halves, half: number): Promise<number> {
  const [node, other] = halves.half(half)
  const mine = (fate: string) => names(fate, 6).filter((_, index) => index % 2 === half)
  let changes = 0
  for (const user of mine("move")) if (await halves.register(other ?? node!, user)) changes++
  for (const user of mine("leave")) if (await halves.register(node!, user, 0)) changes++
  for (const user of mine("go")) if (await halves.removeUser(node!, user)) changes++
  for (const user of names(`new${half}-`, 3))
    if ((await halves.addUser(node!, user)) && (await halves.register(node!, user))) changes++
  return changes
}

async function play(network: HalvedNetwork, halves: Halves) {
  const nodes = Number(values.nodes)
  await halves.grow(nodes)
  await furnish(halves)
  await until("all nodes know everything", async () => (await halves.complaint()) === undefined, PATIENCE)
  network.cut(true)
  const sinceCut = sinceNow()
  for (const half of [0, 1]) {
    const members = halves.half(half)
    await until(`half ${half} is a ring of its own`, () => halves.know(members.length, members), PATIENCE)
  }
  const noticed = sinceCut()
  const changes = (await change(halves, 0)) + (await change(halves, 1))
  await until("the time is over", () => sinceCut() >= Number(values.seconds), PATIENCE * 5)
  const parted = sinceCut()
  network.cut(false)
  const sinceHealed = sinceNow()
  await until("the halves are one ring", () => halves.know(nodes), PATIENCE)
  const oneRing = sinceHealed()
  const { merged, look } = await settle(halves, sinceHealed)
  await until("a while has passed", () => sinceHealed() >= merged + AFTERWARDS / 1_000)
  const resurrected = (await halves.complaint()) ?? "nothing"
  return { nodes, parted, noticed, changes, refused: halves.refused, oneRing, merged, look, resurrected }
}

/** When the last look began that found all well, and how long it took: it asks every node for everything. */
async function settle(halves: Halves, sinceHealed: () => number) {
  for (let last: string | undefined; sinceHealed() < PATIENCE / 1_000; ) {
    const merged = sinceHealed()
    last = await halves.complaint()
    if (last === undefined) return { merged, look: Math.round((sinceHealed() - merged) * 1_000) / 1_000 }
    console.error(`${sinceHealed()} s: ${last}`)
  }
  throw new Error(`the halves do not agree after ${PATIENCE / 1_000} s`)
}

async function main(): Promise<number> {
  if (!isInside()) return runInside()
  const network = new HalvedNetwork()
  const halves = new Halves(network)
  try {
    await network.open()
    const figures = await play(network, halves)
    if (values.json) console.log(JSON.stringify(figures))
    else
      for (const [name, figure] of [
        ["nodes", `${figures.nodes}, half of them on each side`],
        ["parted for", `${figures.parted} s`],
        ["each half a ring of its own after", `${figures.noticed} s`],
        [
          "changes made on both sides",
          `${figures.changes}, and ${figures.refused} refused for want of a copy`,
        ],
        ["one ring again after", `${figures.oneRing} s`],
        [
          "every change known at every node after",
          `${figures.merged} s, by a look that took ${figures.look} s`,
        ],
        ["come back ten seconds later", figures.resurrected],
      ])
        console.log(`${name!.padEnd(40)} ${figure}`)
    return figures.resurrected === "nothing" ? 0 : 1
  } catch (error) {
    console.error(error instanceof NetworkError ? `partition: ${error.message}` : error)
    return 2
  } finally {
    await halves.end()
    network.close()
  }
}

process.exit(await main())
