import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { parseResourceId } from "../../core/reload/header.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { StoreError } from "../kit/store-loss.ts"
import { openRecords, type RecordsSettings } from "./lost-records.ts"
import { storeFile } from "./store.ts"

const NOW = Date.UTC(2026, 10, 25, 16, 48, 40)
const ASIDE = "records.db.damaged-2026-11-25T16-48-40.000Z"
const MARK = "records-lost.json"

const RECORD: StorageChange = {
  kind: "put",
  resource: parseResourceId("0123456789abcdef0123456789abcdef01234567"),
  kindId: 1,
  slot: "a",
  generation: 1,
  storedAt: 1,
  value: new Uint8Array([1]),
}

/** A data directory with one record. */
async function furnish(t: TestContext): Promise<string> {
  const data = mkdtempSync(join(tmpdir(), "carillon-lost-"))
  t.after(() => rmSync(data, { recursive: true }))
  await start(data, { isReturning: false }, [RECORD])
  return data
}

/** What one start of a node finds, and writes. */
async function start(data: string, how: Partial<RecordsSettings>, written: readonly StorageChange[] = []) {
  const settings = { data, isReturning: true, hasOthers: true, acceptLoss: false, now: NOW, ...how }
  const rebuilding = { snapshot: () => [], rebuilt: () => undefined }
  const { store, changes, loss } = await openRecords(settings, () => undefined, rebuilding)
  if (written.length > 0) store.persist(1, written)
  await store.close()
  return { held: changes.length, loss }
}

const files = (data: string) => readdirSync(data).sort()

const damage = (data: string) => writeFileSync(storeFile(data), "x".repeat(8_192))

test("a store that is in order is opened, and nothing is said of it", async (t) => {
  const data = await furnish(t)
  assert.deepEqual(await start(data, {}), { held: 1, loss: undefined })
  assert.deepEqual(files(data), ["records.db"])
})

test("a damaged store is set aside, an empty one takes its place, and that is known until all is here again", async (t) => {
  const data = await furnish(t)
  damage(data)
  const first = await start(data, {}, [RECORD])
  const aside = join(data, ASIDE)
  assert.deepEqual(first, {
    held: 0,
    loss: { at: NOW, problem: "is damaged (file is not a database)", aside, state: "fetching" },
  })
  assert.deepEqual(files(data), [MARK, "records.db", ASIDE].sort())
  const second = await start(data, { now: NOW + 1_000 })
  assert.deepEqual(second, { held: 1, loss: first.loss })
  await assert.rejects(start(data, { hasOthers: false }), (error) => {
    assert.ok(error instanceof StoreError)
    assert.match(
      error.message,
      /is damaged .* set aside as .*records\.db\.damaged-.*knows no other.*--accept-loss/,
    )
    return true
  })
  assert.equal((await start(data, { hasOthers: false, acceptLoss: true })).loss?.state, "accepted")
  assert.deepEqual(await start(data, { hasOthers: false }), { held: 1, loss: undefined })
})

for (const [what, problem, hurt] of [
  ["damaged", "is damaged", damage],
  ["missing", "is missing", (data: string) => rmSync(storeFile(data))],
  ["empty", "is empty", (data: string) => writeFileSync(storeFile(data), "")],
] as const)
  test(`a node that knows no other one does not start with a store that is ${what}, and changes nothing`, async (t) => {
    const data = await furnish(t)
    hurt(data)
    const before = files(data)
    await assert.rejects(start(data, { hasOthers: false }), (error) => {
      assert.ok(error instanceof StoreError)
      assert.match(
        error.message,
        new RegExp(`${problem}.*knows no other.*nothing was changed.*carillon restore.*--accept-loss`),
      )
      return true
    })
    assert.deepEqual(files(data), before)
    assert.equal((await start(data, { hasOthers: false, acceptLoss: true })).loss?.state, "accepted")
    assert.deepEqual(await start(data, { hasOthers: false }), { held: 0, loss: undefined })
  })

test("a node that has just become one has no store, and nothing to say about it", async (t) => {
  const data = await furnish(t)
  rmSync(storeFile(data))
  assert.deepEqual(await start(data, { isReturning: false, hasOthers: false }), { held: 0, loss: undefined })
})

test("a log that is left of a missing store is set aside and not deleted", async (t) => {
  const data = await furnish(t)
  rmSync(storeFile(data))
  writeFileSync(`${storeFile(data)}-wal`, "pages")
  await start(data, {})
  assert.deepEqual(files(data), [MARK, "records.db", `${ASIDE}-wal`].sort())
})
