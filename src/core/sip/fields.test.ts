import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { FormatError } from "../kit/errors.ts"
import {
  contactExpiresOf,
  contactsOf,
  cseqOf,
  dialogIdOf,
  expiresOf,
  maxForwardsOf,
  qOf,
  supportedOf,
  toOf,
  topVia,
  valuesOf,
  viasOf,
} from "./fields.ts"
import { Headers } from "./message.ts"
import { parseNameAddress } from "./name-address.ts"

const message = (...fields: readonly (readonly [string, string])[]) => ({
  headers: new Headers(fields.map(([name, value]) => ({ name, value }))),
})

describe("fields", () => {
  test("lists run over fields and commas alike, and may be empty", () => {
    const found = message(["Supported", "path, gruu"], ["Supported", ""], ["Supported", "outbound"])
    assert.deepEqual(supportedOf(found), ["path", "gruu", "outbound"])
    assert.deepEqual(supportedOf(message()), [])
    assert.deepEqual(valuesOf(message(["X-Own", "a,b"]), "x-own"), ["a", "b"])
  })

  test("the top Via is the first value, wherever the commas are", () => {
    const found = message(["Via", "SIP/2.0/UDP a, SIP/2.0/TCP b"], ["Via", "SIP/2.0/TLS c"])
    assert.equal(topVia(found).host, "a")
    assert.deepEqual(
      viasOf(found).map(({ host }) => host),
      ["a", "b", "c"],
    )
    assert.throws(() => topVia(message()), FormatError)
  })

  test("a changed message is read anew", () => {
    const before = message(["To", "<sip:a@b>"])
    assert.equal(toOf(before).parameters.has("tag"), false)
    const after = { headers: before.headers.with("To", "<sip:a@b>;tag=1") }
    assert.equal(toOf(after).parameters.get("tag"), "1")
  })

  test("Contact is a star or a list", () => {
    assert.equal(contactsOf(message(["Contact", "*"])), "*")
    assert.deepEqual(contactsOf(message()), [])
    const two = contactsOf(message(["Contact", '"A, B" <sip:a@b>;q=1, <sip:c@d>;expires=60']))
    assert.ok(two !== "*")
    assert.deepEqual(
      two.map(({ uri }) => uri),
      ["sip:a@b", "sip:c@d"],
    )
  })

  test("expiry that cannot be understood counts as 3600, and none as none", () => {
    const expires = (text: string) => expiresOf(message(["Expires", text]))
    assert.deepEqual([expires("60"), expires("0"), expires("4294967295")], [60, 0, 4_294_967_295])
    assert.deepEqual([expires("4294967296"), expires("-1"), expires("soon")], [3_600, 3_600, 3_600])
    assert.equal(expiresOf(message()), undefined)
    assert.equal(contactExpiresOf(parseNameAddress("<sip:a@b>;expires=60")), 60)
    assert.equal(contactExpiresOf(parseNameAddress('<sip:a@b>;expires="x"')), 3_600)
    assert.equal(contactExpiresOf(parseNameAddress("<sip:a@b>")), undefined)
  })

  test("q counts in thousandths", () => {
    const q = (text: string) => qOf(parseNameAddress(`<sip:a@b>${text}`))
    assert.deepEqual(
      [q(""), q(";q=1"), q(";q=1.000"), q(";q=0.7"), q(";q=0.333"), q(";q=0")],
      [1_000, 1_000, 1_000, 700, 333, 0],
    )
    for (const nonsense of ["1.1", "-1", "0.1234", ".5", "x"]) {
      assert.throws(() => q(`;q=${nonsense}`), FormatError)
    }
  })

  test("CSeq and Max-Forwards have their bounds", () => {
    assert.deepEqual(cseqOf(message(["CSeq", "4294967295 \t INVITE"])), {
      number: 4_294_967_295,
      method: "INVITE",
    })
    for (const text of ["4294967296 INVITE", "-1 INVITE", "1INVITE", "1", "INVITE", "1 A B", ""]) {
      assert.throws(() => cseqOf(message(["CSeq", text])), FormatError)
    }
    assert.equal(maxForwardsOf(message(["Max-Forwards", "0255"])), 255)
    for (const text of ["256", "", "-1", "1e1"]) {
      assert.throws(() => maxForwardsOf(message(["Max-Forwards", text])), FormatError)
    }
  })

  test("a dialog has the tags as the message has them", () => {
    const found = message(["From", "<sip:a@b>;tag=1"], ["To", "<sip:c@d>"], ["Call-ID", "x"])
    assert.deepEqual(dialogIdOf(found), { callId: "x", fromTag: "1", toTag: undefined })
  })
})
