import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { crc32 } from "node:zlib"
import { fromHex, toHex } from "../kit/hex.ts"
import { answerStunBinding, isStun } from "./stun.ts"

const bytes = (text: string) => fromHex(text.replaceAll(/\s/g, ""))

// The transaction ID, addresses and their hidden forms are those of RFC 5769 §2.
const ID = "b7e7a701 bc34d686 fa87dfae"
const REQUEST = bytes(`00010000 2112a442 ${ID}`)
const ipv4 = { host: "192.0.2.1", port: 32_853 }
const ipv6 = { host: "2001:db8:1234:5678:11:2233:4455:6677", port: 32_853 }

/** The sample request of RFC 5769 §2.1, which has a FINGERPRINT, and PRIORITY, which is not for us. */
const SAMPLE = bytes(`
  00010058 2112a442 ${ID}
  80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff
  80290008 932ff9b1 51263b36
  00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  80280004 e57a3bcf`)

const answer = (request: Uint8Array, remote = ipv4) => {
  const found = answerStunBinding(request, remote)
  return found && toHex(found)
}

describe("answerStunBinding", () => {
  test("tells the sender its address, hidden as RFC 5769 §2.2 and §2.3 have it", () => {
    const head = `0101000c2112a442${ID.replaceAll(" ", "")}`
    assert.equal(answer(REQUEST), `${head}002000080001a147e112a643`)
    const longer = head.replace("0101000c", "01010018")
    assert.equal(answer(REQUEST, ipv6), `${longer}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9`)
  })

  test("checks FINGERPRINT, and refuses with 420 what it does not know", () => {
    const refused = answer(SAMPLE)
    assert.ok(refused?.startsWith("01110018"))
    assert.ok(refused?.includes("0009000400000414" + "000a000200240000" + "80280004"))
    const forged = SAMPLE.slice()
    forged[60]! ^= 1
    assert.equal(answer(forged), undefined)
  })

  test("answers FINGERPRINT with one that it would take itself", () => {
    const request = bytes(`00010008 2112a442 ${ID} 80280004 00000000`)
    assert.equal(answer(request), undefined)
    const sum = crc32(request.subarray(0, 20))
    new DataView(request.buffer).setUint32(24, (sum ^ 0x5354554e) >>> 0)
    const found = answerStunBinding(request, ipv4)
    assert.ok(found)
    const view = new DataView(found.buffer)
    assert.equal(view.getUint32(32), 0x80280004)
    assert.equal(view.getUint32(36), (crc32(found.subarray(0, 32)) ^ 0x5354554e) >>> 0)
  })

  test("is silent to all but sound Binding requests", () => {
    for (const text of [
      `01010000 2112a442 ${ID}`,
      `00110000 2112a442 ${ID}`,
      `00010004 2112a442 ${ID}`,
      `00010000 2112a443 ${ID}`,
      `00010004 2112a442 ${ID} 00060001`,
      `00010004 2112a442 ${ID} 0006ffff`,
    ]) {
      assert.equal(answer(bytes(text)), undefined, text)
    }
    assert.equal(answerStunBinding(REQUEST, { host: "example.org", port: 1 }), undefined)
  })
})

test("isStun takes no SIP for STUN", () => {
  assert.ok(isStun(REQUEST))
  assert.ok(!isStun(Buffer.from("OPTIONS sip:bob@example.org SIP/2.0\r\n")))
  assert.ok(!isStun(new Uint8Array()))
})
