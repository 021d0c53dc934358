import assert from "node:assert/strict"
import { test } from "node:test"
import { ownerOf, Tickets } from "./tickets.ts"

test("tickets of eight owners never meet, and each tells its owner", () => {
  const all = Array.from({ length: 8 }, (_, owner) => new Tickets<string>(owner))
  const issued = all.flatMap((tickets, owner) =>
    Array.from({ length: 20 }, () => ({ owner, ticket: tickets.issue("") })),
  )
  assert.equal(new Set(issued.map(({ ticket }) => ticket)).size, 160)
  for (const { owner, ticket } of issued) assert.equal(ownerOf(ticket), owner)
})

test("a ticket is redeemed once, and forgotten with that", () => {
  const tickets = new Tickets<string>(3)
  const [first, second] = [tickets.issue("first"), tickets.issue("second")]
  assert.equal(tickets.redeem(second), "second")
  assert.equal(tickets.redeem(second), undefined)
  assert.equal(tickets.pending, 1)
  assert.equal(tickets.redeem(first), "first")
  assert.equal(tickets.pending, 0)
})
