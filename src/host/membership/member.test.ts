import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, afterEach, describe, test } from "node:test"
import { refused, serveEnrolment, stopServers } from "../../../test/support/enrolment.ts"
import type { NodeId } from "../../core/identity/node-id.ts"
import type { FailureDomain } from "../../core/identity/roles.ts"
import type { Address } from "../../core/kit/address.ts"
import { formatAddress } from "../../core/kit/address.ts"
import { type Duration, type Instant, after as later, minutes } from "../../core/kit/time.ts"
import type { NodeAnswer, NodeCommand } from "../../core/node/interface.ts"
import { MembershipError } from "../kit/membership-error.ts"
import type { Member } from "./member.ts"
import { createOverlay, joinOverlay, openMembership } from "./membership.ts"

const base = mkdtempSync(join(tmpdir(), "carillon-member-"))
after(() => rmSync(base, { recursive: true }))
let directories = 0
const directory = () => join(base, String(directories++))

afterEach(stopServers)

/** Members that see one another, with records of invites that all of them share. */
class Fabric {
  readonly members: { readonly member: Member; readonly address: Address }[] = []
  readonly reconfigured: string[] = []
  readonly #uses = new Map<string, Map<string, NodeId>>()

  async add(member: Member): Promise<Address> {
    const address = await serveEnrolment(member)
    this.members.push({ member, address })
    member.attach({
      nodes: () =>
        this.members.map((each) => ({
          node: each.member.identity.nodeId,
          address: formatAddress(each.address),
          roles: each.member.identity.certificate.roles,
          self: each.member === member,
        })),
      command: async (command) => this.#count(command),
      snapshot: () => [{ kind: "certificate", fingerprint: "f1", der: Uint8Array.of(0x30, 0) }],
      reconfigure: (document) => this.reconfigured.push(document),
    })
    return address
  }

  async join(
    through: Member,
    { place, ...options }: Parameters<typeof invite>[1] & { readonly place?: FailureDomain } = {},
  ): Promise<Member> {
    const address = this.members.find(({ member }) => member === through)!.address
    const text = await invite(through, { addresses: [address], ...options })
    const joining = { data: directory(), invite: text, advertised: anywhere }
    const member = await joinOverlay({ ...joining, ...(place && { place }) })
    await this.add(member)
    return member
  }

  #count(command: NodeCommand): NodeAnswer {
    assert.equal(command.kind, "count-use")
    if (command.kind !== "count-use") throw new Error("unreachable")
    const { invite, uses, key, node } = command.use
    const known = this.#uses.get(invite) ?? new Map<string, NodeId>()
    this.#uses.set(invite, known)
    const before = known.get(key)
    if (before !== undefined) return { kind: "use-counted", node: before }
    if (known.size >= uses) return { kind: "invite-used-up" }
    known.set(key, node)
    return { kind: "use-counted", node }
  }
}

const anywhere: Address = { host: "127.0.0.1", port: 6084 }
const day = 24 * 60
const inDays = (days: number) => () => later(Date.now() as Instant, minutes(days * day))

const invite = (
  member: Member,
  options: {
    readonly roles?: readonly string[]
    readonly uses?: number
    readonly addresses?: Address[]
  } = {},
) => member.invite({ uses: 1, expires: minutes(60), ...options })

async function start(
  settings: { readonly wantedHolders?: number; readonly certificateLife?: Duration } = {},
) {
  const fabric = new Fabric()
  const data = directory()
  const first = await createOverlay({ data, domain: "example.org", advertised: anywhere, ...settings })
  await fabric.add(first)
  return { fabric, first, data }
}

describe("where a node stands", () => {
  test("is in its certificate beside the roles of its invite, and stays when that is renewed", async () => {
    const { fabric, first } = await start()
    const second = await fabric.join(first, { roles: ["proxy"], place: { site: "berlin", rack: undefined } })
    assert.deepEqual(second.identity.certificate.roles, ["proxy", "site:berlin"])
    assert.deepEqual((await second.renew()).certificate.roles, ["proxy", "site:berlin"])
  })

  test("has to be a name: a role that was slipped in with it is refused", async () => {
    const { fabric, first } = await start()
    const place = { site: "berlin,enrolment", rack: undefined }
    await refused(fabric.join(first, { place }), "invite-refused", /did not issue the invite/)
  })
})

describe("the CA", () => {
  test("goes to another full node with all its keys, which then admits nodes by itself", async () => {
    const { fabric, first } = await start()
    const second = await fabric.join(first)
    assert.equal(second.isAuthority, false)
    const { nodeId } = second.identity
    await second.takeAuthority()
    assert.equal(second.isAuthority, true)
    assert.equal(second.identity.nodeId, nodeId)
    assert.deepEqual(second.identity.certificate.roles, ["registrar", "proxy", "provisioner", "enrolment"])
    assert.deepEqual(second.authority!.secrets().rootKey, first.authority!.secrets().rootKey)
    // The listener shows the new certificate, as the node's port does.
    fabric.members.splice(0)
    await fabric.add(second)
    const third = await fabric.join(second)
    assert.deepEqual(third.rootCertificates, first.rootCertificates)
    assert.notEqual(third.identity.nodeId, first.identity.nodeId)
    const known = JSON.parse(second.authority!.secrets().nodes).nodes.map(
      ({ nodeId }: { nodeId: string }) => nodeId,
    )
    assert.deepEqual(new Set(known), new Set([first, second, third].map((each) => each.identity.nodeId)))
  })

  test("is on the disk of its new holder when it has it, for its owner only", async () => {
    const { fabric, first } = await start()
    const data = directory()
    const text = await invite(first, { addresses: [fabric.members[0]!.address] })
    const second = await joinOverlay({ data, invite: text, advertised: anywhere })
    await fabric.add(second)
    await second.takeAuthority()
    const again = (await openMembership(data))!
    assert.equal(again.isAuthority, true)
    assert.equal(again.lacksRole, false)
    assert.equal(statSync(join(data, "membership/authority/root.key")).mode & 0o777, 0o600)
  })

  test("is not given to a node with fewer roles, to one that does not live, or beyond the number wanted", async () => {
    const { fabric, first } = await start({ wantedHolders: 2 })
    const proxy = await fabric.join(first, { roles: ["proxy"] })
    await refused(proxy.takeAuthority(), "invite-refused", /./)
    const [second, third] = [await fabric.join(first), await fabric.join(first)]
    const index = fabric.members.findIndex(({ member }) => member === third)
    const [away] = fabric.members.splice(index, 1)
    await assert.rejects(third.takeAuthority(), MembershipError)
    fabric.members.push(away!)
    await second.takeAuthority()
    await assert.rejects(third.takeAuthority(), MembershipError)
    assert.equal(third.isAuthority, false)
  })
})

describe("an invite", () => {
  test("with one use admits one node, whichever of two enrolment nodes it is shown to", async () => {
    const { fabric, first } = await start()
    const second = await fabric.join(first)
    await second.takeAuthority()
    const own = await serveEnrolment(second)
    const text = await invite(first, { addresses: [fabric.members[0]!.address] })
    const elsewhere = await invite(first, { addresses: [own] })
    const join = (data: string, of: string) => joinOverlay({ data, invite: of, advertised: anywhere })
    await join(directory(), text)
    await refused(join(directory(), text), "invite-used-up", /as often as it allows/)
    await join(directory(), elsewhere)
    await refused(join(directory(), elsewhere), "invite-used-up", /as often as it allows/)
  })
})

describe("a node's certificate", () => {
  test("is renewed by an enrolment node: same Node-ID, roles and key, on disk at once", async () => {
    const { fabric, first } = await start()
    const data = directory()
    const text = await invite(first, { addresses: [fabric.members[0]!.address], roles: ["proxy"] })
    const node = await joinOverlay({ data, invite: text, advertised: anywhere })
    const before = node.identity.certificate
    const fresh = await node.renew()
    assert.notDeepEqual(fresh.certificate.der, before.der)
    assert.equal(fresh.nodeId, before.nodeIds[0])
    assert.deepEqual(fresh.certificate.roles, ["proxy"])
    assert.equal(readFileSync(join(data, "membership/node.crt"), "utf8"), node.fabricTls.certificate)
    assert.equal((await openMembership(data))!.identity.nodeId, fresh.nodeId)
  })

  test("is renewed by itself where it holds the CA, and lasts as long as was asked for", async () => {
    const certificateLife = minutes(3)
    const { first } = await start({ certificateLife })
    const { notBefore, notAfter } = (await first.renew()).certificate
    assert.ok(notAfter - Date.now() <= certificateLife && notAfter > Date.now())
    assert.ok(notBefore <= Date.now())
    assert.ok(first.identity.certificate.roles.includes("enrolment"))
  })

  test("is renewed after it has lapsed, but not when it lapsed longer ago than it lasted", async () => {
    const renewsAfter = async (days: number) => {
      const { first, data } = await start()
      const node = directory()
      const address = await serveEnrolment(first)
      const text = await invite(first, { addresses: [address] })
      await joinOverlay({ data: node, invite: text, advertised: anywhere })
      // The enrolment node has renewed its own in time.
      const clock = inDays(days)
      const later = (await openMembership(data, {}, { clock }))!
      await later.renew()
      const at = await serveEnrolment(later)
      const member = (await openMembership(node, {}, { clock }))!
      await member.rememberEnrolment([at])
      return member.renew()
    }
    const fresh = await renewsAfter(100)
    assert.ok(fresh.certificate.notAfter > inDays(150)())
    await assert.rejects(renewsAfter(200), MembershipError)
  })
})

describe("a revoked node", () => {
  test("is in the next configuration document, by the node that holds the CA or through it", async () => {
    const { fabric, first } = await start()
    const [second, third] = [await fabric.join(first), await fabric.join(first)]
    const { sequence } = first.configuration
    await second.revoke(third.identity.nodeId)
    assert.deepEqual(first.configuration.badNodes, [third.identity.nodeId])
    assert.equal(first.configuration.sequence, sequence + 1)
    assert.deepEqual(fabric.reconfigured, [first.document])
    await first.revoke(third.identity.nodeId)
    assert.equal(first.configuration.sequence, sequence + 1, "it is revoked already")
    await refused(third.renew(), "invite-refused", /./)
  })
})

describe("documents that two halves of a fabric have signed", () => {
  test("are one in the end, and what either half revoked stays revoked", async () => {
    const { fabric, first } = await start()
    const [second, third, fourth] = [
      await fabric.join(first),
      await fabric.join(first),
      await fabric.join(first),
    ]
    await second.takeAuthority()
    await second.takeDocument(first.document, first.configuration)
    // The halves do not hear of one another: the first signs once, the second twice.
    await first.revoke(third.identity.nodeId)
    await second.revoke(fourth.identity.nodeId)
    await second.reissue(() => ({}))
    await first.takeDocument(second.document, second.configuration)
    const { badNodes, sequence } = first.configuration
    assert.deepEqual([...badNodes].sort(), [third.identity.nodeId, fourth.identity.nodeId].sort())
    assert.equal(sequence, second.configuration.sequence + 1)
    assert.equal(fabric.reconfigured.at(-1), first.document)
    await second.takeDocument(first.document, first.configuration)
    assert.equal(second.document, first.document)
  })
})

describe("all records of a node", () => {
  test("are given to enrolment nodes only", async () => {
    const { fabric, first } = await start()
    const second = await fabric.join(first)
    const [ofFirst, ofSecond] = fabric.members.map(({ address }) => address) as [Address, Address]
    const records = [{ kind: "certificate", fingerprint: "f1", der: Uint8Array.of(0x30, 0) }]
    assert.deepEqual(await first.fetchRecords(ofSecond), records)
    await assert.rejects(second.fetchRecords(ofFirst), MembershipError)
  })
})
