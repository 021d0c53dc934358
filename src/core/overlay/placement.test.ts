import assert from "node:assert/strict"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { FakeCryptography, fakeAuthority } from "../identity/fake-cryptography.ts"
import { type NodeId, parseNodeId } from "../identity/node-id.ts"
import { rolesOfDomain } from "../identity/roles.ts"
import { parseResourceId } from "../reload/header.ts"
import { Placement } from "./placement.ts"

const authority = fakeAuthority(new FakeCryptography(openSslHashes), { overlay: "placement.test", seed: 1 })
const RECORD = parseResourceId("0".repeat(32))

/** Peers round the ring from the record on, each by `site/rack`; the first is ourselves. */
function ringOf(
  places: readonly string[],
  options: { readonly mesh?: boolean; readonly reach?: number } = {},
) {
  const { mesh = true, reach = places.length } = options
  const ids = places.map((_, index) => parseNodeId(`${index + 1}`.padStart(32, "0")))
  const certificates = places.map((place, index) => {
    const [site, rack] = place.split("/").map((name) => name || undefined)
    return authority.issue({ nodeId: ids[index]!, roles: ["proxy", ...rolesOfDomain({ site, rack })] })
      .certificate
  })
  const placement = new Placement({
    self: ids[0]!,
    identity: { certificate: certificates[0]! },
    settings: { fullMeshLimit: mesh ? 256 : 2 },
    topology: {
      holders: (_: unknown, count: number) => ids.slice(0, count),
      peers: () => ids.slice(1),
      neighbors: () => ({ predecessors: [], successors: ids.slice(1, 1 + reach) }),
    },
  })
  for (const [index, id] of ids.entries()) if (index > 0) placement.learn(id, certificates[index]!)
  const numberOf = (id: NodeId | undefined) => (id === undefined ? undefined : ids.indexOf(id))
  return { placement, extra: numberOf(placement.extra(RECORD)), due: placement.due(RECORD).map(numberOf) }
}

test("three holders in one site: the next peer in another has a copy too, however far round it stands", () => {
  assert.deepEqual(ringOf(["a", "a", "a", "a", "a", "b", "c"]).due, [0, 1, 2, 5])
})

test("three holders that do not share a site have no fourth beside them", () => {
  assert.deepEqual(ringOf(["a", "b", "a", "c"]).due, [0, 1, 2])
})

test("with one site for all, the three holders of one rack have a fourth in another", () => {
  assert.equal(ringOf(["a/1", "a/1", "a/1", "a/1", "a/2"]).extra, 4)
  assert.equal(ringOf(["a/1", "a/2", "a/1", "a/2"]).extra, undefined)
})

test("another site is better than another rack that is nearer", () => {
  assert.equal(ringOf(["a/1", "a/1", "a/1", "a/2", "b/1"]).extra, 4)
})

test("racks of different sites are different though they bear one name, and without sites racks alone count", () => {
  assert.equal(ringOf(["a/1", "a/1", "b/1", "b/1"]).extra, undefined)
  assert.equal(ringOf(["/1", "/1", "/1", "/2"]).extra, 3)
})

test("who has not said where it stands shares nothing, and is no other place", () => {
  assert.equal(ringOf(["a", "", "a", "b"]).extra, undefined)
  assert.equal(ringOf(["a", "a", "a", "", "b"]).extra, 4)
  assert.equal(ringOf(["", "", "", "", ""]).extra, undefined)
})

test("with tables alone it is looked for as far as the Neighbor Table goes", () => {
  const places = ["a", "a", "a", "a", "b"]
  assert.equal(ringOf(places, { mesh: false, reach: 4 }).extra, 4)
  assert.equal(ringOf(places, { mesh: false, reach: 3 }).extra, undefined)
})

test("fewer than three holders have no fourth", () => {
  assert.deepEqual(ringOf(["a", "a"]).due, [0, 1])
})
