import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer as createTcpServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, afterEach, describe, test } from "node:test"
import { refused, serveEnrolment, stopServers } from "../../../test/support/enrolment.ts"
import { judgeCertificate } from "../../core/identity/trust.ts"
import type { Address } from "../../core/kit/address.ts"
import { fromBase64 } from "../../core/kit/bytes.ts"
import { type Duration, type Instant, after as later, minutes } from "../../core/kit/time.ts"
import type { Configuration } from "../../core/reload/configuration.ts"
import { parseConfiguration } from "../../core/reload/configuration-document.ts"
import { verifyConfiguration } from "../../core/reload/configuration-signature.ts"
import { writeConfiguration } from "../../core/reload/configuration-writer.ts"
import { openAuthority } from "../authority/authority.ts"
import { openSslCryptography } from "../crypto/cryptography.ts"
import { exchange } from "../enrolment/enrolment-https.ts"
import { encodeInvite, type FabricKey } from "../enrolment/invite.ts"
import { writeForm } from "../enrolment/multipart.ts"
import { ENROLMENT_PATHS } from "../network/enrolment-answers.ts"
import { createOverlay, joinOverlay, type Membership, openMembership } from "./membership.ts"

const base = mkdtempSync(join(tmpdir(), "carillon-membership-"))
after(() => rmSync(base, { recursive: true }))

let directories = 0
const directory = () => join(base, String(directories++))

const anywhere: Address = { host: "127.0.0.1", port: 6084 }
const hour = minutes(60)

afterEach(stopServers)

const create = (data = directory(), domain = "example.org") =>
  createOverlay({ data, domain, advertised: anywhere })

describe("a new overlay", () => {
  test("has a first node that its own rules trust, with a configuration that its own signer signed", async () => {
    const data = directory()
    const member = await create(data, "Example.ORG")
    const { identity, cryptography, configuration } = member
    assert.equal(configuration.sipDomain, "example.org")
    assert.deepEqual(identity.certificate.roles, ["registrar", "proxy", "provisioner", "enrolment"])
    assert.equal(identity.certificate.userName, `node-${identity.nodeId}@example.org`)
    const trust = { overlay: "example.org", roots: member.rootCertificates, now: Date.now() as Instant }
    assert.equal(judgeCertificate(cryptography, identity.certificate, { ...trust, badNodes: [] }), undefined)
    const document = parseConfiguration(member.document, "example.org")
    const signers = configuration.configurationSigners
    assert.equal(verifyConfiguration(cryptography, document, { ...trust, signers }), undefined)
    assert.deepEqual(document.configuration.enrollmentServers, ["https://127.0.0.1:6084"])
    assert.ok(document.configuration.kinds.some(({ role }) => role === "registrar"))
    assert.ok(!signers.includes(identity.nodeId), "the signing identity is its own")
  })

  test("comes back from its directory as it was", async () => {
    const data = directory()
    assert.equal(await openMembership(data), undefined)
    const member = await create(data)
    const again = (await openMembership(data, { domain: "EXAMPLE.org" }))!
    assert.equal(again.identity.nodeId, member.identity.nodeId)
    assert.equal(again.document, member.document)
    assert.deepEqual(again.fabricKeys, member.fabricKeys)
    assert.equal(again.isAuthority, true)
    assert.deepEqual(readdirSync(data).sort(), ["membership", "version"])
  })

  test("keeps every file to its owner", async () => {
    const data = directory()
    const member = await create(data)
    await member.phoneTls({ domain: "example.org", addresses: ["127.0.0.1"] })
    for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777
      assert.equal(mode, entry.isDirectory() ? 0o700 : 0o600, entry.name)
    }
  })

  test("cannot be for a domain that is none", async () => {
    for (const domain of ["", "a b", "-x", "a/b", "a@b"])
      await assert.rejects(create(directory(), domain), /neither a host name nor an IP address/)
    const byAddress = await create(directory(), "192.0.2.1")
    assert.equal(byAddress.configuration.instanceName, "192.0.2.1")
  })
})

describe("a data directory", () => {
  test("of one overlay is refused for another one's domain, invite, or membership", async () => {
    const data = directory()
    const member = await create(data)
    const other = await create(directory(), "example.net")
    const foreign = await other.invite({ uses: 1, expires: hour })
    const own = await member.invite({ uses: 1, expires: 1 as Duration })
    assert.ok(await openMembership(data, { invite: own }))
    await refused(
      openMembership(data, { domain: "example.net" }),
      "other-overlay",
      /of the overlay example\.org.*the domain example\.net/,
    )
    await refused(
      openMembership(data, { invite: foreign }),
      "other-overlay",
      /example\.org.*an invite to example\.net.*another --data/,
    )
    await refused(create(data), "other-overlay", /example\.org/)
    await refused(
      joinOverlay({ data, invite: foreign, advertised: anywhere }),
      "other-overlay",
      /example\.org/,
    )
  })

  test("of a newer layout is refused, and left alone", async () => {
    const data = directory()
    await create(data)
    writeFileSync(join(data, "version"), "2\n")
    await refused(
      openMembership(data),
      "newer-layout",
      /layout 2 and this Carillon knows 1: use the newer version/,
    )
    await refused(create(data), "newer-layout", /layout 2/)
  })

  test("that is damaged says which part, and what to do", async () => {
    const damage: readonly (readonly [string, string])[] = [
      ["membership/configuration.xml", "<overlay>"],
      ["membership/node.crt", ""],
      ["membership/fabric-keys.json", '{"keys":[{"epoch":1,"key":"AA"}]}'],
      ["membership/node.key", "nonsense"],
      ["membership/authority/nodes.json", "["],
      ["version", "x"],
    ]
    for (const [file, content] of damage) {
      const data = directory()
      await create(data)
      writeFileSync(join(data, file), content)
      await refused(openMembership(data), "damaged-directory", /cannot be used: .*restore the data directory/)
    }
  })
})

describe("joining by invite", () => {
  test("gives a node certificate, configuration, fabric keys and a certificate for its phones", async () => {
    const first = await create()
    const address = await serveEnrolment(first)
    const invite = await first.invite({ uses: 1, expires: hour, addresses: [address] })
    const data = directory()
    const second = await joinOverlay({ data, invite, advertised: { host: "127.0.0.2", port: 6084 } })
    assert.notEqual(second.identity.nodeId, first.identity.nodeId)
    assert.deepEqual(second.identity.certificate.roles, ["registrar", "proxy", "provisioner"])
    assert.deepEqual(second.fabricKeys, first.fabricKeys)
    assert.equal(second.document, first.document)
    assert.equal(second.isAuthority, false)
    const [phone, root] = certificatesOf(readFileSync(join(data, "membership/phone.crt"), "utf8"))
    assert.equal(phone!.checkIP("127.0.0.2"), "127.0.0.2")
    assert.equal(phone!.checkHost("example.org"), "example.org")
    assert.ok(phone!.verify(root!.publicKey) && root!.raw.equals(first.rootCertificates[0]!))
    const again = (await openMembership(data, { invite }))!
    assert.equal(again.identity.nodeId, second.identity.nodeId)
  })

  test("works with an invite that the new node itself issued", async () => {
    const first = await create()
    const address = await serveEnrolment(first)
    const invite = await first.invite({ uses: 1, expires: hour, addresses: [address] })
    const second = await joinOverlay({ data: directory(), invite, advertised: anywhere })
    const next = await second.invite({ uses: 1, expires: hour, addresses: [address], roles: ["proxy"] })
    const third = await joinOverlay({ data: directory(), invite: next, advertised: anywhere })
    assert.deepEqual(third.identity.certificate.roles, ["proxy"])
  })

  test("tries each address, and passes over those that are dead or of somebody else", async () => {
    const first = await create()
    const stranger = await serveEnrolment(await create(directory(), "example.net"))
    const addresses = [await closedPort(), stranger, await serveEnrolment(first)]
    const invite = await first.invite({ uses: 1, expires: hour, addresses })
    assert.ok(await joinOverlay({ data: directory(), invite, advertised: anywhere }))
  })

  test("is refused when the invite is used up, also after the enrolment node has started again", async () => {
    const data = directory()
    const first = await create(data)
    const address = await serveEnrolment(first)
    const invite = await first.invite({ uses: 2, expires: hour, addresses: [address] })
    await joinOverlay({ data: directory(), invite, advertised: anywhere })
    const restarted = await serveEnrolment((await openMembership(data))!)
    const elsewhere = await first.invite({ uses: 1, expires: hour, addresses: [restarted] })
    await joinOverlay({ data: directory(), invite: elsewhere, advertised: anywhere })
    const third = joinOverlay({ data: directory(), invite: elsewhere, advertised: anywhere })
    await refused(
      third,
      "invite-used-up",
      /does not admit this node to example\.org: .* used as often as it allows: make a new one/,
    )
  })

  test("can be tried again after a failure half-way, at no further use of the invite", async () => {
    const first = await create()
    let failing = true
    const address = await serveEnrolment(first, async (request) =>
      failing && request.path === ENROLMENT_PATHS.fabricKeys
        ? { status: 500, headers: {}, body: new Uint8Array() }
        : first.enrolment!(request),
    )
    const invite = await first.invite({ uses: 1, expires: hour, addresses: [address] })
    const data = directory()
    await refused(joinOverlay({ data, invite, advertised: anywhere }), "invite-refused", /answers 500/)
    assert.equal(await openMembership(data), undefined)
    failing = false
    assert.ok(await joinOverlay({ data, invite, advertised: anywhere }))
  })

  test("is refused for an invite that has expired, by the joining node and by the enrolment node", async () => {
    const first = await create()
    const address = await serveEnrolment(first)
    const invite = await first.invite({ uses: 1, expires: hour, addresses: [address] })
    const tomorrow = () => later(Date.now() as Instant, minutes(24 * 60))
    const yesterday = () => later(Date.now() as Instant, minutes(-24 * 60))
    const late = joinOverlay({ data: directory(), invite, advertised: anywhere, clock: tomorrow })
    await refused(late, "invite-expired", /expired at/)
    const stale = await openedAt(first, yesterday)
    const slow = joinOverlay({
      data: directory(),
      invite: await stale(address),
      advertised: anywhere,
      clock: () => later(yesterday(), minutes(30)),
    })
    await refused(slow, "untrusted", /becomes valid in 23 h: compare the clocks/)
  })

  test("is refused when somebody else answers, nobody does, or it is no enrolment node", async () => {
    const first = await create()
    const joining = async (...addresses: readonly Address[]) =>
      joinOverlay({
        data: directory(),
        invite: await first.invite({ uses: 1, expires: hour, addresses }),
        advertised: anywhere,
      })
    const stranger = await serveEnrolment(await create(directory(), "example.org"))
    await refused(
      joining(stranger),
      "untrusted",
      /is not of the overlay example\.org.*root certificate is another/,
    )
    await refused(
      joining(await closedPort()),
      "unreachable",
      /127\.0\.0\.1:\d+ \(connection refused\): start it/,
    )
    await refused(
      joining(await plainTcp()),
      "unreachable",
      /does not speak the enrolment protocol|connection/,
    )
    const second = await joining(await serveEnrolment(first))
    const impostor = await serveEnrolment(second, first.enrolment)
    await refused(joining(impostor), "untrusted", /a node without the role enrolment/)
  })

  test("waits for an enrolment node that cannot admit it yet, and is told why", async () => {
    const first = await create()
    let asked = 0
    const address = await serveEnrolment(first, async (request) => {
      if (request.path !== "/enroll" || ++asked > 2) return first.enrolment(request)
      return { status: 503, headers: {}, body: new TextEncoder().encode("two of three holders are gone") }
    })
    const causes: string[] = []
    const invite = await first.invite({ uses: 1, expires: hour, addresses: [address] })
    const waiting = (cause: string) => causes.push(cause)
    await joinOverlay({ data: directory(), invite, advertised: anywhere, waiting })
    assert.equal(asked, 3)
    assert.equal(causes.length, 1, "the same sentence is not told twice")
    assert.match(causes[0]!, /cannot serve enrolment now: two of three holders are gone/)
  })

  test("is refused for an invite that the fabric did not issue, or for more roles than it grants", async () => {
    const first = await create()
    const address = await serveEnrolment(first)
    const forge = (roles: readonly string[], key: FabricKey = { epoch: 1, key: new Uint8Array(32) }) =>
      encodeInvite(
        first.cryptography,
        {
          id: "x",
          overlay: "example.org",
          addresses: [address],
          rootFingerprint: new X509Certificate(first.rootCertificates[0]!).fingerprint256
            .replaceAll(":", "")
            .toLowerCase(),
          roles,
          uses: 9,
          expires: later(Date.now() as Instant, hour),
        },
        key,
      )
    const join = (invite: string, roles?: readonly string[]) =>
      joinOverlay({ data: directory(), invite, advertised: anywhere, ...(roles && { roles }) })
    await refused(join(forge(["proxy"])), "invite-refused", /did not issue the invite/)
    await refused(join(forge(["enrolment"], first.fabricKeys[0])), "invite-refused", /not for these roles/)
    const invite = await first.invite({
      uses: 1,
      expires: hour,
      addresses: [address],
      roles: ["proxy", "registrar"],
    })
    await refused(join(invite, ["provisioner"]), "invite-refused", /not for these roles/)
    assert.deepEqual((await join(invite, ["registrar"])).identity.certificate.roles, ["registrar"])
    await assert.rejects(
      first.invite({ uses: 1, expires: hour, roles: ["enrolment"] }),
      /cannot grant the role/,
    )
    await assert.rejects(first.invite({ uses: 0, expires: hour }), /0 uses/)
  })
})

describe("the enrolment service", () => {
  test("answers as RFC 6940 §11.3 says", async () => {
    const first = await create()
    const ask = async (
      path: string,
      body: Uint8Array,
      headers: Record<string, string> = {},
      method = "POST",
    ) => {
      const response = await first.enrolment!({
        method,
        path,
        headers,
        body,
        clientCertificate: undefined,
        remote: anywhere,
      })
      return `${response.status} ${response.headers["content-type"]} ${Buffer.from(response.body).toString().slice(0, 30)}`
    }
    const invite = await first.invite({ uses: 1, expires: hour })
    const [id] = JSON.parse(Buffer.from(fromBase64(invite.slice(10, invite.indexOf(".")))!).toString())
    const form = (fields: Record<string, string>) => {
      const { contentType, body } = writeForm(
        Object.entries(fields).map(([name, value]) => ({ name, value: Buffer.from(value) })),
      )
      return [ENROLMENT_PATHS.enrol, body, { "content-type": contentType }] as const
    }
    const good = { username: id, password: invite }
    assert.match(
      await ask("/.well-known/reload-config", new Uint8Array(), {}, "GET"),
      /^200 application\/p2p-overlay\+xml <\?xml/,
    )
    assert.equal(await ask(...form({ ...good, csr: "x" })), "403 text/plain bad_CSR")
    assert.equal(
      await ask(...form({ ...good, nodeids: "2", csr: "x" })),
      "403 text/plain Node-IDs_not_available",
    )
    assert.equal(
      await ask(...form({ ...good, username: "y", csr: "x" })),
      "403 text/plain failed_authentication",
    )
    assert.equal(await ask(ENROLMENT_PATHS.enrol, Buffer.from("x")), "403 text/plain failed_authentication")
    assert.match(await ask("/", new Uint8Array(), {}, "GET"), /^404/)
  })

  test("gives fabric keys and phone certificates to nodes of the overlay only", async () => {
    const first = await create()
    const address = await serveEnrolment(first)
    const stranger = await create(directory(), "example.org")
    const rootFingerprint = new X509Certificate(first.rootCertificates[0]!).fingerprint256
      .replaceAll(":", "")
      .toLowerCase()
    const trust = {
      overlay: "example.org",
      rootFingerprint,
      cryptography: openSslCryptography(),
      now: Date.now() as Instant,
    }
    for (const path of [ENROLMENT_PATHS.fabricKeys, ENROLMENT_PATHS.phoneCertificate]) {
      const request = { method: "POST", path, headers: {}, body: new Uint8Array() } as const
      assert.equal((await exchange(address, trust, request)).status, 403)
      assert.equal((await exchange(address, trust, { ...request, client: stranger.fabricTls })).status, 403)
    }
    const request = {
      method: "POST",
      path: ENROLMENT_PATHS.fabricKeys,
      headers: {},
      body: new Uint8Array(),
    } as const
    assert.equal((await exchange(address, trust, { ...request, client: first.fabricTls })).status, 200)
  })
})

describe("the certificate for phones", () => {
  test("is kept while it fits, and made anew for other names or in the last third of its life", async () => {
    const data = directory()
    const member = await create(data)
    const names = { domain: "example.org", addresses: ["127.0.0.1"] }
    const first = await member.phoneTls(names)
    assert.deepEqual(await member.phoneTls(names), first)
    const wider = await member.phoneTls({ ...names, addresses: ["127.0.0.1", "2001:db8::1"] })
    assert.notEqual(wider.certificate, first.certificate)
    assert.equal(wider.key, first.key)
    const inDays = (days: number) => () => later(Date.now() as Instant, minutes(days * 24 * 60))
    assert.deepEqual(await (await openMembership(data, {}, { clock: inDays(59) }))!.phoneTls(names), wider)
    assert.notDeepEqual(await (await openMembership(data, {}, { clock: inDays(61) }))!.phoneTls(names), wider)
  })

  test("lives on when no enrolment node answers", async () => {
    const first = await create()
    const address = await serveEnrolment(first)
    const invite = await first.invite({ uses: 1, expires: hour, addresses: [address] })
    const second = await joinOverlay({ data: directory(), invite, advertised: anywhere })
    const kept = await second.phoneTls({ domain: "example.org", addresses: ["127.0.0.1"] })
    stopServers()
    assert.deepEqual(await second.phoneTls({ domain: "example.org", addresses: ["127.0.0.77"] }), kept)
  })
})

describe("a configuration document", () => {
  test("is written and read back alike, and refused when a byte, a signer or the time is wrong", async () => {
    const data = directory()
    const member = await create(data)
    const { cryptography, configuration } = member
    const { signer } = (await openAuthority(join(data, "membership/authority"), "example.org", cryptography))!
    const trust = {
      overlay: "example.org",
      roots: member.rootCertificates,
      now: Date.now() as Instant,
      signers: configuration.configurationSigners,
    }
    const judge = (xml: string, changes: Partial<typeof trust> = {}) =>
      verifyConfiguration(cryptography, parseConfiguration(xml), { ...trust, ...changes })
    const changed: Configuration = {
      ...configuration,
      sequence: 7,
      sipDomain: `"<&'>é😀`,
      badNodes: [member.identity.nodeId],
    }
    const document = writeConfiguration(changed, signer)
    assert.deepEqual(parseConfiguration(document).configuration, {
      ...changed,
      expiration: Math.floor(changed.expiration / 1_000) * 1_000,
    })
    assert.equal(judge(document), undefined)

    assert.match(judge(document.replace('sequence="7"', 'sequence="8"'))!, /changed after it was signed/)
    assert.match(judge(document.replace(/<signature>.*<\/signature>/, ""))!, /is not signed/)
    assert.match(
      judge(document.replace(/<signature>.*<\/signature>/, "<signature>AAAA</signature>"))!,
      /no SecurityBlock/,
    )
    assert.match(judge(document, { signers: [] })!, /which may not sign it/)
    assert.match(judge(document, { overlay: "example.net" })!, /is of the overlay example\.org/)
    assert.match(judge(document, { roots: [] })!, /signer that is not trusted: .* not signed by the CA/)
    assert.match(judge(document, { now: (changed.expiration + 1) as Instant })!, /has expired/)
    assert.match(
      judge(writeConfiguration(changed, member.identity), { signers: [member.identity.nodeId] })!,
      /revoked/,
    )
    const unsignedKind = writeConfiguration({ ...changed, kindSigners: [] }, signer)
    assert.match(judge(unsignedKind)!, /the Kind \d+ in the configuration is signed by/)
  })
})

const certificatesOf = (pem: string) =>
  pem
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter((each) => each !== "")
    .map((each) => new X509Certificate(each))

/** Issues invites of `member`'s fabric by another clock. */
async function openedAt(member: Membership, clock: () => Instant) {
  const { cryptography, fabricKeys, configuration } = member
  return async (address: Address) =>
    encodeInvite(
      cryptography,
      {
        id: "y",
        overlay: configuration.instanceName,
        addresses: [address],
        rootFingerprint: new X509Certificate(member.rootCertificates[0]!).fingerprint256
          .replaceAll(":", "")
          .toLowerCase(),
        roles: ["proxy"],
        uses: 1,
        expires: later(clock(), hour),
      },
      fabricKeys[0]!,
    )
}

async function closedPort(): Promise<Address> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return { host: "127.0.0.1", port }
}

/** Something that is no TLS answers. */
async function plainTcp(): Promise<Address> {
  const server = createTcpServer((socket) => socket.end("SIP/2.0 400 Bad Request\r\n\r\n"))
  server.unref()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port }
}
