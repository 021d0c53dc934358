import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { FakeCryptography, fakeAuthority } from "../../src/core/identity/fake-cryptography.ts"
import { parseNodeId } from "../../src/core/identity/node-id.ts"
import { concat, fromBase64 } from "../../src/core/kit/bytes.ts"
import { fromHex } from "../../src/core/kit/hex.ts"
import { readHeader, readPayload, resourceIdOf, writeMessage } from "../../src/core/reload/message.ts"
import { SecurityBlock } from "../../src/core/reload/security.ts"
import { signMessage, signValue } from "../../src/core/reload/signing.ts"
import { storedDataList } from "../../src/core/reload/stored-data.ts"
import { SIP_BINDINGS } from "../../src/core/storage/kinds.ts"
import { encode } from "../../src/core/wire/codec.ts"
import { openSslHashes } from "../support/hashes.ts"
import { pcapFor } from "../support/pcap.ts"
import { HEADER, MESSAGES, SECURITY, wholeMessage } from "../vectors/reload-messages.ts"

// Wireshark's dissector judges structure, and structure only. It was written for a draft: it prints
// version 1.0 as unknown, and the names of errors and kinds that came later; neither is held against us.

const PRIVATE_KIND = `uat:reload_kindids:"${SIP_BINDINGS.id}","SIP-BINDINGS","DICTIONARY"`
const missing = spawnSync("tshark", ["--version"]).error !== undefined

function wireshark(
  packets: readonly Uint8Array[],
): readonly { readonly info: string; readonly expert: string }[] {
  const directory = mkdtempSync(join(tmpdir(), "carillon-tshark-"))
  try {
    const file = join(directory, "messages.pcap")
    writeFileSync(file, pcapFor("reload", packets))
    const fields = ["-e", "_ws.col.Info", "-e", "_ws.expert.message", "-e", "_ws.malformed"]
    const options = ["-o", "reload.nodeid_length:16", "-o", PRIVATE_KIND, "-T", "fields", "-E", "separator=|"]
    const run = spawnSync("tshark", ["-r", file, ...options, ...fields], { encoding: "utf8" })
    assert.equal(run.status, 0, run.stderr)
    return run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [info = "", ...expert] = line.split("|")
        return { info, expert: expert.join("") }
      })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** A certificate of no importance, in DER. */
const CERTIFICATE = fromBase64(
  "MIIBVjCB/aADAgECAhQoOtVbZCGuijdKvx0NoTy/57hF6zAKBggqhkjOPQQDAjAAMCAXDTI2MTEyMjExMzI1M1oYDzIxMjYx" +
    "MDI5MTEzMjUzWjAAMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENFxLfSM6YhdkyOMZBPHIZg6csK7xd2iWLJ8hwB5sQGu2" +
    "wZYBGn4poxlhYmILQ9Qn1Lilelf9fLn0oBDHURW8zKNTMFEwHQYDVR0OBBYEFP0IcFQQ2McpyVM8iZRmoxHdEta3MB8GA1Ud" +
    "IwQYMBaAFP0IcFQQ2McpyVM8iZRmoxHdEta3MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgQfRQdbdjj4B9" +
    "b/GLlgn/DB5sPvnOI7ZtA1LyN89ou30CIQDN3aoBCej4Ob63NnKzJCnDCuksvicgrrJZKH9FE2bsDQ==",
)!

if (missing && process.env["CI"]) test("tshark is installed", () => assert.fail("apt-get install tshark"))

const judged = { skip: missing ? "tshark is not installed: apt-get install tshark" : false }

test("Wireshark names every method as we do, and finds none malformed", judged, () => {
  const seen = wireshark(MESSAGES.map(({ bytes }) => wholeMessage(bytes)))
  assert.equal(seen.length, MESSAGES.length)
  for (const [index, { contents }] of MESSAGES.entries()) {
    const { kind } = contents.body
    assert.ok(seen[index]!.info.startsWith(nameInWireshark(kind)), `${kind}: ${seen[index]!.info}`)
    // It reads both lengths of a document as we wrote them, and then stumbles over the text in it.
    if (kind !== "config-update-req") assert.equal(seen[index]!.expert, "", kind)
  }
})

test("Wireshark reads a security block with a certificate in it", judged, () => {
  const { header } = readHeader(wholeMessage(MESSAGES[0]!.bytes))
  const contents = MESSAGES[0]!.bytes
  const block = { ...SECURITY, certificates: [{ type: "x509", der: CERTIFICATE }] } as const
  const [seen] = wireshark([writeMessage(header, concat(contents, encode(SecurityBlock, block)))])
  assert.match(seen!.info, /ping/i)
  assert.equal(seen!.expert, "")
})

test("Wireshark reads a signed Store of bindings", judged, () => {
  const cryptography = new FakeCryptography(openSslHashes)
  const nodeId = parseNodeId("00112233445566778899aabbccddeeff")
  const identity = fakeAuthority(cryptography, { overlay: "example.org", seed: 1 }).issue({ nodeId })
  const resource = resourceIdOf(cryptography, "alice@example.org")
  const value = { model: "dictionary", key: fromHex(nodeId), exists: true, value: Uint8Array.of(1) } as const
  const signed = signValue(identity, {
    resource,
    kind: SIP_BINDINGS.id,
    storageTime: 1_400_000_000_000,
    lifetime: 3_600,
    value,
  })
  const values = encode(storedDataList("dictionary"), [signed])
  const kinds = [{ kind: SIP_BINDINGS.id, generation: 0, values }]
  const { overlay, transaction } = HEADER
  const body = { kind: "store-req", resource, replicaNumber: 0, kinds } as const
  const payload = signMessage(identity, { overlay, transaction, contents: { body, extensions: [] } })
  // Fake certificates are no X.509, so the bucket is left out here.
  const { contentsBytes, security } = readPayload(payload)
  const bare = concat(contentsBytes, encode(SecurityBlock, { ...security, certificates: [] }))
  const [seen] = wireshark([writeMessage(HEADER, bare)])
  assert.deepEqual(seen, { info: "Store Request", expert: "" })
})

/** `app-attach-req` is "AppAttach Request" there. */
function nameInWireshark(kind: string): string {
  const words = kind.split("-").map((word) => word[0]!.toUpperCase() + word.slice(1))
  return words.join("").replace(/Req$/, " Request").replace(/Ans$/, " Response")
}
