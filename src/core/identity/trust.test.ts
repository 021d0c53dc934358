import assert from "node:assert/strict"
import { test } from "node:test"
import type { Instant } from "../kit/time.ts"
import type { Certificate, Cryptography } from "./certificate.ts"
import { parseNodeId } from "./node-id.ts"
import { judgeCertificate } from "./trust.ts"

const node = parseNodeId("00112233445566778899aabbccddeeff")
const other = parseNodeId("ffeeddccbbaa99887766554433221100")
const root = Uint8Array.of(1)

const certificate: Certificate = {
  der: Uint8Array.of(9),
  fingerprint: "09",
  nodeIds: [node],
  userName: "node-1@example.org",
  overlay: "example.org",
  roles: [],
  notBefore: 1_000_000 as Instant,
  notAfter: 2_000_000 as Instant,
}

const issuedByOurRoot: Pick<Cryptography, "isIssuedBy"> = { isIssuedBy: (_, roots) => roots.includes(root) }

const judge = (changes: Partial<Certificate>, now = 1_500_000, roots = [root], badNodes = [other]) =>
  judgeCertificate(
    issuedByOurRoot as Cryptography,
    { ...certificate, ...changes },
    { overlay: "example.org", roots, now: now as Instant, badNodes },
  )

test("a certificate of our CA for our overlay is trusted from its first to its last moment", () => {
  for (const now of [1_000_000, 1_500_000, 2_000_000]) assert.equal(judge({}, now), undefined)
})

test("whatever does not fit is refused in one sentence that says what", () => {
  assert.match(judge({}, 1_500_000, [Uint8Array.of(2)])!, /not signed by the CA of example\.org/)
  assert.match(judge({ overlay: "example.net" })!, /is for the overlay example\.net, not for example\.org/)
  assert.match(judge({}, 2_000_001)!, /node-1@example\.org expired 1 min ago/)
  assert.match(judge({}, 2_000_000 + 3 * 86_400_000)!, /expired 3 days ago/)
  assert.match(judge({}, 999_999)!, /becomes valid in 1 min: compare the clocks/)
  assert.match(judge({}, 1_500_000, [root], [other, node])!, /revoked/)
  assert.match(judge({ nodeIds: [] })!, /holds no Node-ID/)
  assert.match(judge({ nodeIds: [node, other] })!, /holds 2 Node-IDs/)
})
