import assert from "node:assert/strict"
import { hash } from "node:crypto"
import { test } from "node:test"
import { openSslHashes } from "../../../test/support/hashes.ts"
import { readUsers, resourceNameOf } from "./user-names.ts"

const put = (domain: string, ...users: readonly { readonly name: string; readonly password: string }[]) =>
  readUsers(openSslHashes, domain, { kind: "put-users", mode: "add", users })

test("a name may say its domain, in any case of letters, or leave it out", () => {
  for (const name of ["alice", "alice@example.org", "alice@EXAMPLE.org"])
    assert.deepEqual(resourceNameOf("example.org", name), { name: "alice@example.org", user: "alice" })
  const odd = { name: "A-_.!~*'()&=+$,;?/9@example.org", user: "A-_.!~*'()&=+$,;?/9" }
  assert.deepEqual(resourceNameOf("example.org", "A-_.!~*'()&=+$,;?/9"), odd)
})

test("a name that cannot be a user of the domain gets a sentence that says why", () => {
  const reasons: readonly (readonly [string, RegExp])[] = [
    ["alice@elsewhere.org", /^"alice@elsewhere\.org" is not of the domain example\.org; leave out/],
    ["alice@", /not of the domain/],
    ["", /cannot stand in a SIP address; use letters/],
    ["@example.org", /cannot stand/],
    ["al ice", /cannot stand/],
    ["sip:alice", /cannot stand/],
    ["%61lice", /cannot stand/],
    ["alice\n", /cannot stand/],
    ["jörg", /cannot stand/],
    ["a@b@example.org", /cannot stand/],
    ["x".repeat(65), /is longer than 64 characters/],
    ["node-7f3a", /belong to nodes/],
    ["NODE-7f3a@example.org", /belong to nodes/],
  ]
  for (const [name, reason] of reasons) {
    const read = resourceNameOf("example.org", name)
    assert.ok(typeof read === "string", name)
    assert.match(read, reason)
  }
  assert.equal(typeof resourceNameOf("example.org", "x".repeat(64)), "object")
})

test("a password is hashed so that the answers of RFC 7616 §3.9.1 come out", () => {
  // That example's realm is no domain of ours, but hashes like one.
  const realm = "http-auth@example.org"
  const read = put(realm, { name: "Mufasa", password: "Circle of Life" })
  assert.ok(read.kind === "put-users")
  const { md5, sha256 } = read.users[0]!.ha1
  const nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
  const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
  const respond = (algorithm: "md5" | "sha256", ha1: string) => {
    const ha2 = hash(algorithm, "GET:/dir/index.html")
    return hash(algorithm, `${ha1}:${nonce}:00000001:${cnonce}:auth:${ha2}`)
  }
  assert.equal(respond("md5", md5), "8ca523f5e9506fed4657c9700eebdbec")
  assert.equal(respond("sha256", sha256), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
})

test("a password beyond ASCII is hashed as UTF-8, under the user part alone", () => {
  const read = put("example.org", { name: "alice@example.org", password: "pässwörd ☎" })
  assert.ok(read.kind === "put-users")
  // By md5sum and sha256sum over the UTF-8 text `alice:example.org:pässwörd ☎`.
  assert.deepEqual(read.users[0]?.ha1, {
    md5: "b3e78fa9bbfd2eb910cfd1a803b3caef",
    sha256: "b7de36910400c0d743b6c6a138a0d444e28a2ac0fd4d05cdc945b8feacbeaca7",
  })
})

test("one bad name refuses the whole command, and so does a user named twice", () => {
  const password = "secret"
  const bad = put("example.org", { name: "alice", password }, { name: "b b", password })
  assert.ok(bad.kind === "refused" && bad.code === "bad-name" && bad.cause.includes('"b b"'))
  const twice = put("example.org", { name: "alice", password }, { name: "alice@example.org", password })
  assert.deepEqual(twice, {
    kind: "refused",
    code: "bad-name",
    cause: "user alice@example.org is named twice; give each user once",
  })
})

test("a user to be removed is named like any other", () => {
  const remove = (name: string) => readUsers(openSslHashes, "example.org", { kind: "remove-user", name })
  assert.deepEqual(remove("alice"), { kind: "remove-user", name: "alice@example.org" })
  assert.equal(remove("alice@elsewhere.org").kind, "refused")
})
