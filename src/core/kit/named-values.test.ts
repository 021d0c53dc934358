import assert from "node:assert/strict"
import { test } from "node:test"
import { NamedValues } from "./named-values.ts"

const bytes = (text: string) => Uint8Array.from(`<${text}>`, (letter) => letter.charCodeAt(0))

test("a value is found by its name, and by the bytes of that in the midst of others", () => {
  const values = new NamedValues<number>()
  const names = Array.from({ length: 3_000 }, (_, number) => `user${number}@example.org`)
  for (const [number, name] of names.entries()) values.set(name, number)
  assert.equal(values.size, 3_000)
  for (const [number, name] of names.entries()) {
    assert.equal(values.get(name), number)
    assert.equal(values.find(bytes(name), 1, 1 + name.length), number)
  }
  for (const stranger of ["", "user3000@example.org", "user1@example.or", "user1@example.orgg"]) {
    assert.equal(values.get(stranger), undefined, stranger)
    assert.equal(values.find(bytes(stranger), 1, 1 + stranger.length), undefined, stranger)
  }
})

test("a name has the value that it was given last", () => {
  const values = new NamedValues<string>()
  values.set("alice", "first")
  values.set("alice", "second")
  assert.equal(values.size, 1)
  assert.equal(values.get("alice"), "second")
  assert.equal(values.find(bytes("alice"), 1, 6), "second")
})

test("a name of other characters than ASCII is found by its text only, whatever its bytes would be", () => {
  const values = new NamedValues<number>()
  values.set("jos\u00e9", 1)
  assert.equal(values.get("jos\u00e9"), 1)
  assert.equal(values.find(bytes("jos\u00e9"), 1, 5), undefined)
})
