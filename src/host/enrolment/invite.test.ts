import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import type { Instant } from "../../core/kit/time.ts"
import { openSslCryptography } from "../crypto/cryptography.ts"
import { MembershipError } from "../kit/membership-error.ts"
import { decodeInvite, encodeInvite, isGenuineInvite } from "./invite.ts"

const hashes = openSslCryptography()
const key = { epoch: 1, key: new Uint8Array(32).fill(1) }
const now = Date.UTC(2030, 0, 1) as Instant

const invite = {
  id: "abc",
  overlay: "example.org",
  addresses: [
    { host: "192.0.2.1", port: 6084 },
    { host: "2001:db8::1", port: 6084 },
  ],
  rootFingerprint: "ab".repeat(32),
  roles: ["registrar", "proxy"],
  uses: 3,
  expires: Date.UTC(2030, 0, 2) as Instant,
}
const text = encodeInvite(hashes, invite, key)

const refused = (line: string, code: string, problem: RegExp, at = now) =>
  assert.throws(
    () => decodeInvite(hashes, line, at),
    (cause) => {
      assert.ok(cause instanceof MembershipError)
      assert.equal(cause.code, code)
      assert.match(cause.message, problem)
      return true
    },
  )

describe("an invite", () => {
  test("is one line of plain characters, and reads as it was written", () => {
    assert.match(text, /^carillon1:[\w.-]+$/)
    assert.ok(text.length < 400, `${text.length} characters`)
    assert.deepEqual(decodeInvite(hashes, `  ${text}\n`, now), { ...invite, epoch: 1 })
  })

  test("that is cut anywhere, or has one character changed, is refused as damaged", () => {
    for (let length = 0; length < text.length; length++)
      refused(text.slice(0, length), "membership.invite-damaged", /cut short|no invite/)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(..."aZ9-_.:"), (at, character) => {
        fc.pre(text[at] !== character)
        const changed = text.slice(0, at) + character + text.slice(at + 1)
        refused(changed, "membership.invite-damaged", /./)
      }),
    )
  })

  test("read from any text at all gives an invite or a MembershipError", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((each) => `carillon1:${each}`),
        ),
        (any) => {
          refused(any, "membership.invite-damaged", /./)
        },
      ),
    )
  })

  test("of a later version says to update", () => {
    refused(
      text.replace("carillon1", "carillon2"),
      "membership.invite-damaged",
      /version 2.*reads version 1: update/,
    )
  })

  test("is good until its expiry and then says when that was, and what time it is here", () => {
    decodeInvite(hashes, text, invite.expires)
    refused(
      text,
      "membership.invite-expired",
      /example\.org expired at 2030-01-02T00:00:00Z, and it is 2030-01-03T00:00:00Z here/,
      Date.UTC(2030, 0, 3) as Instant,
    )
  })

  test("is genuine only under the fabric key that made it, of its epoch", () => {
    const read = decodeInvite(hashes, text, now)
    const foreign = { epoch: 1, key: new Uint8Array(32).fill(2) }
    const later = { epoch: 2, key: new Uint8Array(32).fill(3) }
    assert.equal(isGenuineInvite(hashes, text, read, [key, later]), true)
    assert.equal(isGenuineInvite(hashes, text, read, [foreign]), false)
    assert.equal(isGenuineInvite(hashes, text, read, [later]), false)
    assert.equal(isGenuineInvite(hashes, encodeInvite(hashes, invite, foreign), read, [key]), false)
  })
})
