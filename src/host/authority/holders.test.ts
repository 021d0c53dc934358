import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { DEFAULT_ROLES, ENROLMENT } from "../../core/identity/roles.ts"
import type { Instant } from "../../core/kit/time.ts"
import { asksForAuthorityAt, isShortOfHolders, leadOf } from "./holders.ts"

const holder = [...DEFAULT_ROLES, ENROLMENT]
const since = 1_000_000 as Instant

/** Nodes by the first letter of their Node-IDs; `self` is the last. */
const fabric = (...nodes: readonly (readonly [string, readonly string[]])[]) =>
  nodes.map(([node, roles], index) => ({ node, roles, self: index === nodes.length - 1 }))

const asks = (nodes: ReturnType<typeof fabric>, listed: number, wanted = 3) => {
  const at = asksForAuthorityAt({ nodes, listed, wanted, shortSince: since })
  return at === undefined ? undefined : (at - since) / 1_000
}

describe("a node that lacks the CA", () => {
  test("asks for it at once where no more have ever held it, and half a minute later for each before it", () => {
    assert.equal(asks(fabric(["b", holder], ["a", DEFAULT_ROLES]), 1), 0)
    assert.equal(asks(fabric(["b", holder], ["a", DEFAULT_ROLES], ["c", DEFAULT_ROLES]), 1), 30)
    assert.equal(asks(fabric(["b", holder], ["d", DEFAULT_ROLES], ["a", DEFAULT_ROLES]), 1), 0)
  })

  test("waits ten minutes for a holder that may come back, and half a minute where one more death would lose the CA", () => {
    assert.equal(asks(fabric(["a", holder], ["b", holder], ["c", DEFAULT_ROLES]), 3), 600)
    assert.equal(asks(fabric(["a", holder], ["b", DEFAULT_ROLES]), 3), 30)
  })

  test("does not ask where enough hold it, nobody does, it holds it itself, or its roles are too few", () => {
    assert.equal(
      asks(fabric(["a", holder], ["b", holder], ["c", holder], ["d", DEFAULT_ROLES]), 3),
      undefined,
    )
    assert.equal(asks(fabric(["a", holder], ["b", DEFAULT_ROLES]), 1, 1), undefined)
    assert.equal(asks(fabric(["a", DEFAULT_ROLES], ["b", DEFAULT_ROLES]), 1), undefined)
    assert.equal(asks(fabric(["a", DEFAULT_ROLES], ["b", holder]), 1), undefined)
    assert.equal(asks(fabric(["a", holder], ["b", ["proxy"]]), 1), undefined)
  })

  test("begins to wait when there are too few", () => {
    const nodes = fabric(["a", holder], ["b", DEFAULT_ROLES])
    assert.equal(asksForAuthorityAt({ nodes, listed: 1, wanted: 3, shortSince: undefined }), undefined)
    assert.equal(isShortOfHolders({ nodes, wanted: 3 }), true)
    assert.equal(isShortOfHolders({ nodes, wanted: 1 }), false)
  })
})

describe("configuration documents", () => {
  test("are signed by one holder, that with the smallest Node-ID; by nobody where none lives", () => {
    assert.equal(leadOf(fabric(["c", holder], ["b", holder], ["a", DEFAULT_ROLES]))?.node, "b")
    assert.equal(leadOf(fabric(["a", DEFAULT_ROLES])), undefined)
  })
})
