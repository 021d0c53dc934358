import { seconds } from "../../src/core/kit/time.ts"
import { ringComplaint } from "../../src/sim/checkers.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { addUsers, eventually, phoneOf, register, talk } from "../../src/sim/telephony.ts"
import { World } from "../../src/sim/world.ts"

/** A farm of 64 nodes with phones, of which two die; gives the hash of all that happened. Run as a program, prints it. */
export function tellLarge(seed: number): string {
  const world = new World(seed, { nodes: 64, loss: 0.01 }, openSslHashes)
  eventually(world, () => ringComplaint(world))
  addUsers(world, world.pick(world.hosts), ["alice", "bob"])
  const alice = phoneOf(world, world.pick(world.hosts), "alice")
  const bob = phoneOf(world, world.pick(world.hosts), "bob", { transport: "TCP" })
  register(world, alice)
  register(world, bob)
  for (const host of world.shuffle(world.hosts).slice(0, 2)) host.crash("silent")
  talk(world, alice, bob)
  world.run(seconds(4))
  return world.log.digest()
}

if (import.meta.main) console.log(tellLarge(Number(process.argv[2])))
