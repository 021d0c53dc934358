import { seconds } from "../../src/core/kit/time.ts"
import { openSslHashes } from "../../src/sim/hashes.ts"
import { addUsers, phoneOf, register, talk } from "../../src/sim/telephony.ts"
import { World } from "../../src/sim/world.ts"

/** A little of everything that a world can do; gives the hash of all that happened. */
export function tell(seed: number): string {
  const world = new World(seed, { nodes: 6, loss: 0.1 }, openSslHashes)
  world.run(seconds(5))
  addUsers(world, world.pick(world.hosts), ["alice", "bob"])
  const alice = phoneOf(world, world.pick(world.hosts), "alice")
  const bob = phoneOf(world, world.pick(world.hosts), "bob", { transport: "TCP" })
  register(world, alice)
  register(world, bob)
  talk(world, alice, bob)
  const [first, second, third] = world.shuffle(world.hosts)
  first!.crash()
  second!.freeze()
  world.run(seconds(4))
  second!.thaw()
  first!.start()
  world.leave(third!)
  world.part(world.hosts.slice(0, 3), world.hosts.slice(3))
  world.run(seconds(6))
  world.network.heal()
  world.run(seconds(6))
  world.cutPower()
  for (const host of world.shuffle(world.hosts)) host.start()
  world.run(seconds(8))
  return world.log.digest()
}
