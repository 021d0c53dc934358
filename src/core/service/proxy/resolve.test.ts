import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { formatAddress } from "../../kit/address.ts"
import { SeededRandom } from "../../kit/random.ts"
import { after, type Instant, milliseconds, seconds } from "../../kit/time.ts"
import type { Hop } from "../../sip/transport.ts"
import type { DnsRecord } from "../sip-server-interface.ts"
import { Resolver, type ResolverEffect } from "./resolve.ts"
import { inOrder } from "./resolve-plan.ts"

const start = 0 as Instant

/** Records by question, `SRV _sip._udp.example.org`. */
type Zone = Readonly<Record<string, readonly DnsRecord[] | "failed">>

const a = (address: string): DnsRecord => ({ type: "A", address })
const aaaa = (address: string): DnsRecord => ({ type: "AAAA", address })
const srv = (priority: number, weight: number, port: number, target: string): DnsRecord => ({
  type: "SRV",
  priority,
  weight,
  port,
  target,
})
const naptr = (order: number, service: string, replacement: string): DnsRecord => ({
  type: "NAPTR",
  order,
  preference: 50,
  flags: "s",
  service,
  replacement,
})

class Bench {
  readonly asked: string[] = []
  readonly resolver: Resolver
  readonly #zone: Zone

  constructor(zone: Zone, ipv6 = false) {
    this.#zone = zone
    let ticket = 0
    const nextTicket = () => ++ticket
    this.resolver = new Resolver({ families: { ipv4: true, ipv6 }, random: new SeededRandom(1), nextTicket })
  }

  /** Where a URI leads, `TCP 192.0.2.1:5060`; undefined while nothing has been found. */
  find(uri: string, now: Instant = start, secure = false): readonly string[] | undefined {
    const found = this.#follow(this.resolver.handle({ kind: "find", key: 1, uri, secure }, now), now)
    return found?.map(spell)
  }

  #follow(effects: readonly ResolverEffect[], now: Instant): readonly Hop[] | undefined {
    let found: readonly Hop[] | undefined
    for (const effect of effects) {
      if (effect.kind === "found") {
        assert.equal(found, undefined, "found twice")
        found = effect.hops
        continue
      }
      const { ticket, question } = effect
      const name = `${question.type} ${question.name}`
      this.asked.push(name)
      const records = this.#zone[name] ?? []
      found = this.#follow(this.resolver.handle({ kind: "resolved", ticket, records }, now), now) ?? found
    }
    return found
  }
}

function spell(hop: Hop): string {
  assert.ok(hop.kind === "address")
  return `${hop.transport} ${formatAddress(hop.address)}${hop.serverName ? ` ${hop.serverName}` : ""}`
}

describe("Resolver", () => {
  test("asks nothing for IP literals: UDP by default, TLS for sips, the port of the transport", () => {
    const bench = new Bench({})
    assert.deepEqual(bench.find("sip:bob@192.0.2.1"), ["UDP 192.0.2.1:5060"])
    assert.deepEqual(bench.find("sip:bob@192.0.2.1:5070;transport=tcp"), ["TCP 192.0.2.1:5070"])
    assert.deepEqual(bench.find("sip:[2001:db8::1];transport=tls"), ["TLS [2001:db8::1]:5061"])
    assert.deepEqual(bench.find("sips:192.0.2.1"), ["TLS 192.0.2.1:5061"])
    assert.deepEqual(bench.find("sip:192.0.2.1", start, true), ["TLS 192.0.2.1:5061"])
    assert.deepEqual(bench.find("sip:example.org;maddr=192.0.2.9"), ["UDP 192.0.2.9:5060"])
    assert.deepEqual(bench.asked, [])
  })

  test("asks for addresses alone where the URI has a port", () => {
    const bench = new Bench({ "A example.org": [a("192.0.2.1"), a("192.0.2.2")] })
    assert.deepEqual(bench.find("sip:example.org:5080"), [
      "UDP 192.0.2.1:5080 example.org",
      "UDP 192.0.2.2:5080 example.org",
    ])
    assert.deepEqual(bench.asked, ["A example.org"])
  })

  test("goes by NAPTR, then SRV, then addresses: RFC 3263 §4.1", () => {
    const bench = new Bench({
      "NAPTR example.com": [
        naptr(100, "SIP+D2U", "_sip._udp.example.com."),
        naptr(90, "SIP+D2T", "_sip._tcp.example.com."),
        naptr(10, "SIP+D2X", "_sip._sctp.example.com."),
      ],
      "SRV _sip._tcp.example.com": [
        srv(1, 0, 5062, "server2.example.com."),
        srv(0, 0, 5061, "server1.example.com."),
      ],
      "A server1.example.com": [a("192.0.2.1")],
      "A server2.example.com": [a("192.0.2.2")],
    })
    assert.deepEqual(bench.find("sip:user@example.com"), [
      "TCP 192.0.2.1:5061 example.com",
      "TCP 192.0.2.2:5062 example.com",
    ])
  })

  test("takes only services with TLS for a sips URI", () => {
    const zone = {
      "NAPTR example.com": [
        naptr(10, "SIP+D2U", "_sip._udp.example.com"),
        naptr(20, "SIPS+D2T", "_sips._tcp.example.com"),
      ],
      "SRV _sips._tcp.example.com": [srv(0, 0, 5061, "s.example.com")],
      "A s.example.com": [a("192.0.2.1")],
    }
    assert.deepEqual(new Bench(zone).find("sips:example.com"), ["TLS 192.0.2.1:5061 example.com"])
  })

  test("without NAPTR asks for SRV of each transport, and without that for addresses", () => {
    const services = new Bench({
      "SRV _sip._tcp.example.com": [srv(0, 0, 5070, "s.example.com")],
      "A s.example.com": [a("192.0.2.1")],
    })
    assert.deepEqual(services.find("sip:example.com"), ["TCP 192.0.2.1:5070 example.com"])
    const plain = new Bench({ "NAPTR example.com": "failed", "A example.com": [a("192.0.2.1")] })
    assert.deepEqual(plain.find("sip:example.com"), ["UDP 192.0.2.1:5060 example.com"])
    assert.deepEqual(plain.asked, [
      "NAPTR example.com",
      "SRV _sip._udp.example.com",
      "SRV _sip._tcp.example.com",
      "SRV _sips._tcp.example.com",
      "A example.com",
    ])
  })

  test("asks for SRV of the transport that the URI names", () => {
    const bench = new Bench({
      "SRV _sips._tcp.example.com": [srv(0, 0, 5099, "s.example.com")],
      "A s.example.com": [a("192.0.2.1")],
    })
    assert.deepEqual(bench.find("sip:example.com;transport=TLS"), ["TLS 192.0.2.1:5099 example.com"])
    assert.deepEqual(bench.asked, ["SRV _sips._tcp.example.com", "A s.example.com"])
  })

  test("finds nothing where a service is decidedly absent, the transport unknown, or the URI no SIP", () => {
    const zone = { "SRV _sip._udp.example.com": [srv(0, 0, 0, ".")], "A example.com": [a("192.0.2.1")] }
    assert.deepEqual(new Bench(zone).find("sip:example.com"), [])
    assert.deepEqual(new Bench({}).find("sip:192.0.2.1;transport=sctp"), [])
    assert.deepEqual(new Bench({}).find("sips:192.0.2.1;transport=udp"), [])
    assert.deepEqual(new Bench({}).find("tel:+15551234"), [])
    assert.deepEqual(new Bench({}).find("sip:"), [])
  })

  test("asks for IPv6 addresses where this node speaks it", () => {
    const zone = { "A example.org": [a("192.0.2.1")], "AAAA example.org": [aaaa("2001:db8::1")] }
    assert.deepEqual(new Bench(zone, true).find("sip:example.org:5060"), [
      "UDP 192.0.2.1:5060 example.org",
      "UDP [2001:db8::1]:5060 example.org",
    ])
  })

  test("remembers answers for a while, and absence for less", () => {
    const bench = new Bench({ "A here.example": [a("192.0.2.1")] })
    const counted = (uri: string, now: Instant) => {
      const known = bench.asked.length
      bench.find(uri, now)
      return bench.asked.length - known
    }
    const late = after(start, seconds(6))
    assert.deepEqual([counted("sip:here.example:1", start), counted("sip:here.example:1", late)], [1, 0])
    assert.deepEqual([counted("sip:gone.example:1", start), counted("sip:gone.example:1", late)], [1, 1])
    assert.equal(counted("sip:here.example:1", after(start, seconds(31))), 1)
  })

  test("takes silence for absence after five seconds, and asks once for two who wait", () => {
    const { resolver } = new Bench({})
    const find = (key: number) =>
      resolver.handle({ kind: "find", key, uri: "sip:example.org:5060", secure: false }, start)
    assert.equal(find(1).length, 1)
    assert.deepEqual(find(2), [])
    assert.deepEqual(resolver.expire(after(start, milliseconds(4_999))), [])
    assert.deepEqual(resolver.expire(after(start, seconds(5))), [
      { kind: "found", key: 1, hops: [] },
      { kind: "found", key: 2, hops: [] },
    ])
  })
})

test("equal priorities are drawn by weight, and a weight of 0 seldom comes first", () => {
  const random = new SeededRandom(7)
  const records = [
    { priority: 1, weight: 0, name: "never" },
    { priority: 1, weight: 75, name: "often" },
    { priority: 1, weight: 25, name: "seldom" },
    { priority: 0, weight: 0, name: "first" },
  ]
  const second: Record<string, number> = {}
  for (let i = 0; i < 1_000; i++) {
    const [first, next] = inOrder(records, random)
    assert.equal(first?.name, "first")
    second[next!.name] = (second[next!.name] ?? 0) + 1
  }
  assert.equal(second["never"], undefined)
  assert.ok(second["often"]! > 650 && second["often"]! < 850)
})
