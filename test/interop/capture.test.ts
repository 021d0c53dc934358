import assert from "node:assert/strict"
import { join } from "node:path"
import { after, describe, test } from "node:test"
import { setTimeout as pause } from "node:timers/promises"
import { Farm, type FarmNode, PORTS } from "./support/farm.ts"
import { missing, Program, runToEnd } from "./support/programs.ts"
import { RealPhone } from "./support/real-phone.ts"

/** What the dissector calls the messages, by code. RFC 6940 §14.8. */
const CODES: Readonly<Record<string, number>> = {
  "probe-req": 1,
  "probe-ans": 2,
  "attach-req": 3,
  "attach-ans": 4,
  "store-req": 7,
  "store-ans": 8,
  "fetch-req": 9,
  "fetch-ans": 10,
  "find-req": 13,
  "find-ans": 14,
  "join-req": 15,
  "join-ans": 16,
  "leave-req": 17,
  "leave-ans": 18,
  "update-req": 19,
  "update-ans": 20,
  "route-query-req": 21,
  "route-query-ans": 22,
  "ping-req": 23,
  "ping-ans": 24,
  "stat-req": 25,
  "stat-ans": 26,
  "app-attach-req": 29,
  "app-attach-ans": 30,
  "config-update-req": 33,
  "config-update-ans": 34,
  error: 0xffff,
}

describe("Wireshark looks on", { skip: missing("tshark", "tcpdump", "openssl") }, () => {
  let farm: Farm | undefined
  let dump: Program | undefined
  after(async () => {
    await dump?.stop("SIGINT")
    await farm?.end()
  })

  test("tshark counts each method of a three-node farm as the nodes do, and finds none malformed", async (context) => {
    farm = new Farm()
    const [keys, capture] = [join(farm.directory, "keys"), join(farm.directory, "farm.pcap")]
    farm = new Farm("farm.test", { environment: { CARILLON_KEY_LOG: keys } })
    dump = new Program("tcpdump", "tcpdump", [
      "-i",
      "lo",
      "-U",
      "-B",
      "65536",
      "-w",
      capture,
      `tcp port ${PORTS.reload}`,
    ])
    await dump.says(/listening on/)
    const nodes = await farm.grow(3)
    nodes[0]!.must("user", "add", "alice", "--password", "secret")
    const phone = await RealPhone.open("127.0.1.1", {
      user: "alice",
      password: "secret",
      domain: farm.domain,
      proxy: { host: nodes[1]!.host, port: PORTS.sip },
    })
    assert.equal((await phone.register()).status, 200)
    phone.close()
    for (const node of nodes) node.must("lookup", `alice@${farm.domain}`)

    // What is sent while nodes stop counts too: each says its numbers with its last line.
    const sent = await stopAndCount(nodes)
    await pause(500)
    await dump.stop("SIGINT")
    dump = undefined

    const pem = join(farm.directory, "any-key.pem")
    runToEnd("openssl", ["genpkey", "-algorithm", "RSA", "-out", pem])
    const seen = dissect(capture, keys, pem)
    for (const [method, count] of sent)
      context.diagnostic(`${method}: nodes ${count}, tshark ${seen.byCode.get(CODES[method]!) ?? 0}`)
    assert.equal(seen.malformed, 0)
    for (const [method, count] of sent) assert.equal(seen.byCode.get(CODES[method]!) ?? 0, count, method)
    const total = [...sent.values()].reduce((sum, count) => sum + count, 0)
    assert.equal(
      [...seen.byCode.values()].reduce((sum, count) => sum + count, 0),
      total,
    )
  })
})

/** Stops all nodes; each one's last line says how many messages of each method it sent. */
async function stopAndCount(nodes: readonly FarmNode[]): Promise<Map<string, number>> {
  const sent = new Map<string, number>()
  for (const node of nodes) {
    const { program } = node
    assert.equal(await node.stop(), 0)
    const farewell = program!.output.match(/^.*node\.stopped.*$/m)?.[0] ?? ""
    for (const [, method, count] of farewell.matchAll(/reload_sent_([a-z-]+)\W+(\d+)/g))
      sent.set(method!, (sent.get(method!) ?? 0) + Number(count))
  }
  assert.ok(sent.size > 0, "the nodes say what they sent when they stop")
  return sent
}

function dissect(capture: string, keys: string, pem: string) {
  const result = runToEnd(
    "tshark",
    [
      ...["-r", capture, "-o", `tls.keylog_file:${keys}`],
      ...["-o", `tls.keys_list:0.0.0.0,${PORTS.reload},reload-framing,${pem}`],
      ...[
        "-T",
        "fields",
        "-E",
        "occurrence=a",
        "-e",
        "reload.message.code",
        "-e",
        "_ws.malformed",
        "-Y",
        "reload || _ws.malformed",
      ],
    ],
    240_000,
  )
  const byCode = new Map<number, number>()
  let malformed = 0
  for (const line of result.stdout.split("\n").filter(Boolean)) {
    const [codes = "", bad = ""] = line.split("\t")
    for (const code of codes.split(",").filter(Boolean))
      byCode.set(Number(code), (byCode.get(Number(code)) ?? 0) + 1)
    if (bad !== "") malformed++
  }
  return { byCode, malformed }
}
