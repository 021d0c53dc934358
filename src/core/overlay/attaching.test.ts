import assert from "node:assert/strict"
import { test } from "node:test"
import type { NodeId } from "../identity/node-id.ts"
import type { Answers } from "./answers.ts"
import { Attaching } from "./attaching.ts"
import { candidatesOf } from "./candidates.ts"
import type { Fabric } from "./fabric.ts"
import type { LinkPool } from "./link-pool.ts"
import type { Received } from "./messenger.ts"
import type { Question, Reply, Requests } from "./requests.ts"

const [SMALL, LARGE] = ["1", "2"].map((digit) => digit.repeat(32)) as [NodeId, NodeId]
const ADDRESS = { host: "192.0.2.2", port: 6084 }
const ATTACH = {
  ufrag: "",
  password: "",
  role: "passive",
  candidates: candidatesOf(ADDRESS),
  sendUpdate: true,
} as const

/** One node's side of an Attach: what it asks, and what it does when it is asked. */
function sideOf(self: NodeId) {
  const asked: Question[] = []
  const did: string[] = []
  const fabric = {
    self,
    in: () => 1,
    schedule: { cancel: () => undefined },
    settings: { advertised: ADDRESS },
  }
  const links = { to: () => undefined, learnAddress: () => undefined, dial: () => did.push("dial") }
  const answers = {
    answer: () => did.push("agree"),
    refuse: (_: Received, error: string) => did.push(error),
  }
  const attaching = new Attaching(
    fabric as unknown as Fabric,
    links as unknown as LinkPool,
    { ask: (question: Question) => asked.push(question) } as unknown as Requests,
    answers as unknown as Answers,
    { unreachable: (peer) => did.push(`unreachable ${peer}`), updateWanted: () => undefined },
  )
  return { attaching, asked, did }
}

const refusal = (by: NodeId): Reply => ({
  kind: "refused",
  error: "Error_In_Progress",
  cause: "we attach to it ourselves",
  info: new Uint8Array(),
  by,
})

for (const first of ["the refusal", "the other Attach"]) {
  test(`of two nodes that attach to each other, the smaller one dials, though ${first} comes first`, () => {
    const small = sideOf(SMALL)
    small.attaching.want(LARGE, undefined)
    const request = { node: LARGE } as Received
    const refused = () => small.asked[0]!.done(refusal(LARGE))
    const attached = () => small.attaching.requested(request, ATTACH)
    for (const step of first === "the refusal" ? [refused, attached] : [attached, refused]) step()
    assert.deepEqual(small.did, ["agree", "dial"])
  })
}

test("of two nodes that attach to each other, the larger one refuses and waits to be dialled", () => {
  const large = sideOf(LARGE)
  large.attaching.want(SMALL, undefined)
  large.attaching.requested({ node: SMALL } as Received, ATTACH)
  assert.deepEqual(large.did, ["Error_In_Progress"])
})
