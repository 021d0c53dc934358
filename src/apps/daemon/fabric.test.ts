import assert from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { FakeNode } from "../../../test/support/control.ts"
import { domainOf, functionsOf } from "../../core/identity/roles.ts"
import { CarillonError } from "../../core/kit/errors.ts"
import { openSslCryptography } from "../../host/crypto/cryptography.ts"
import { decodeInvite } from "../../host/enrolment/invite.ts"
import { systemClock } from "../../host/kit/clock.ts"
import type { Membership } from "../../host/membership/membership.ts"
import { ControlError } from "../control/control-error.ts"
import { enterFabric } from "./fabric.ts"
import { inviter } from "./inviter.ts"
import type { UpOptions } from "./options.ts"

const ADDRESS = { host: "127.0.0.1", port: 6084 }
let directory: string
let bells: Membership
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "carillon-"))
  bells = (await enterFabric(options("bells", { domain: "bells.example" }), ADDRESS)).membership
})
after(() => rmSync(directory, { recursive: true }))

function options(name: string, others: Partial<UpOptions> = {}): UpOptions {
  return {
    data: join(directory, name),
    domain: undefined,
    join: undefined,
    host: "127.0.0.1",
    advertise: undefined,
    nameServers: undefined,
    sipPort: 0,
    sipsPort: 0,
    reloadPort: 0,
    httpPort: 0,
    httpHost: undefined,
    roles: undefined,
    enrolmentNodes: undefined,
    certificateLife: undefined,
    site: undefined,
    rack: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    users: [],
    trusted: [],
    digest: ["MD5"],
    keyLog: undefined,
    udp: "auto",
    log: "plain",
    logLevel: "info",
    ...others,
  }
}

const inviteTo = (membership: Membership) => {
  const asked = { uses: 1, expiresSeconds: 60 }
  return inviter(membership, () => new FakeNode().status())(asked)
}

test("without a word, a new directory becomes the fabric localhost", async () => {
  const { origin, membership, notes, bootstrap } = await enterFabric(options("new"), ADDRESS)
  assert.deepEqual(
    [origin, membership.configuration.sipDomain, notes, bootstrap],
    ["created", "localhost", [], []],
  )
})

test("a directory comes back to its fabric; an invite to the same one is not needed, and said so", async () => {
  const { invite } = await inviteTo(bells)
  const again = await enterFabric(options("bells", { join: invite, roles: ["gateway"] }), ADDRESS)
  assert.equal(again.origin, "returned")
  assert.equal(again.membership.identity.nodeId, bells.identity.nodeId)
  assert.equal(again.notes.length, 2)
  assert.match(again.notes[0]!, /is a member of bells\.example already: --join is ignored/)
  assert.match(again.notes[1]!, /--roles is ignored: this node's certificate says .*registrar/)
})

test("a directory, a domain and an invite that disagree are refused in one sentence, and nothing is made", async () => {
  const { invite } = await inviteTo(bells)
  const cases = [
    options("bells", { domain: "other.example" }),
    options("new", { join: invite }),
    options("third", { join: invite, domain: "other.example" }),
    options("third", { join: "carillon1:cut-of" }),
  ]
  for (const each of cases) {
    await assert.rejects(enterFabric(each, ADDRESS), (error) => {
      assert.ok(error instanceof CarillonError)
      assert.doesNotMatch(error.message, /\n/)
      return true
    })
  }
  assert.equal((await enterFabric(options("third"), ADDRESS)).origin, "created")
})

test("an invite leads to the enrolment nodes that live now", async () => {
  const status = new FakeNode().status()
  const nodes = [
    ...status.nodes,
    { node: "e".repeat(32), address: "127.0.0.9:7000", roles: ["enrolment"], self: false },
  ]
  const make = inviter(bells, () => ({ ...status, nodes }))
  const { invite, expires } = await make({ uses: 2, expiresSeconds: 60 })
  const { addresses, uses } = decodeInvite(openSslCryptography(), invite, systemClock())
  assert.deepEqual([addresses, uses], [[{ host: "127.0.0.9", port: 7000 }], 2])
  assert.ok(expires.getTime() > Date.now())
})

test("an invite for a role that nobody may grant is the asker's mistake", async () => {
  const make = inviter(bells, () => new FakeNode().status())
  await assert.rejects(make({ uses: 1, expiresSeconds: 60, roles: ["enrolment"] }), (error) => {
    assert.ok(error instanceof ControlError)
    assert.equal(error.status, 400)
    return true
  })
})

test("site and rack stand in the certificate, of a first node and of one that joins, and are not its roles", async () => {
  const first = await enterFabric(options("placed", { site: "berlin", rack: "r1" }), ADDRESS)
  assert.deepEqual(domainOf(first.membership.identity.certificate), { site: "berlin", rack: "r1" })
  const { roles } = bells.identity.certificate
  assert.deepEqual(functionsOf(first.membership.identity.certificate.roles), roles)
  const again = await enterFabric(options("placed", { site: "paris", rack: "r1" }), ADDRESS)
  assert.equal(again.notes.length, 1)
  assert.match(again.notes[0]!, /--site paris is ignored: this node's certificate says berlin; to move it/)
})

test("what is no name of a place is refused, and nothing is made", async () => {
  await assert.rejects(
    enterFabric(options("misplaced", { site: "Berlin, Mitte" }), ADDRESS),
    /--site: "Berlin, Mitte" is no name of a place; write up to 32 letters/,
  )
  assert.equal(existsSync(join(directory, "misplaced")), false)
})
