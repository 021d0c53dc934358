import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { DatabaseSync } from "node:sqlite"
import { type TestContext, test } from "node:test"
import { parseResourceId } from "../../core/reload/header.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { StoreError } from "../kit/store-loss.ts"
import { openStore, type PersistAnswer, type RecordStore, StoreDamage } from "./store.ts"

function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "carillon-store-"))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

const put = (slot: string, value: Uint8Array | string): StorageChange => ({
  kind: "put",
  resource: parseResourceId("0123456789abcdef0123456789abcdef01234567"),
  kindId: 0xf0000001,
  slot,
  generation: 2 ** 40,
  value: typeof value === "string" ? Buffer.from(value) : value,
  storedAt: 1_700_000_000_123,
})

/** Persists each in turn, all at once, and answers what came back. */
async function persistAll(
  directory: string,
  batches: readonly (readonly StorageChange[])[],
): Promise<readonly PersistAnswer[]> {
  const answers: PersistAnswer[] = []
  const { store } = await openStore(directory, (answer) => answers.push(answer))
  for (const [ticket, changes] of batches.entries()) store.persist(ticket, changes)
  await store.close()
  return answers
}

async function contents(directory: string): Promise<readonly StorageChange[]> {
  const { store, changes } = await openStore(directory, () => undefined)
  await store.close()
  return changes.map((change) =>
    "value" in change ? { ...change, value: Buffer.from(change.value) } : change,
  )
}

test("what was persisted is there after a restart: the latest of each place, without what was deleted", async (t) => {
  const directory = newDirectory(t)
  const { resource, kindId } = put("", "") as Extract<StorageChange, { kind: "put" }>
  const answers = await persistAll(directory, [
    [put("a", "1"), put("b", "1")],
    [put("a", "2")],
    [{ kind: "delete", resource, kindId, slot: "b" }],
    [{ kind: "certificate", fingerprint: "ff", der: Uint8Array.of(1, 2) }],
    [{ kind: "certificate", fingerprint: "ee", der: Uint8Array.of(3) }],
    [{ kind: "forget-certificate", fingerprint: "ee" }],
  ])
  assert.deepEqual(
    answers,
    [0, 1, 2, 3, 4, 5].map((ticket) => ({ kind: "persisted", ticket })),
  )
  assert.deepEqual(await contents(directory), [
    { kind: "certificate", fingerprint: "ff", der: Uint8Array.of(1, 2) },
    put("a", "2"),
  ])
})

test("nobody but the user may read the store", async (t) => {
  const directory = join(newDirectory(t), "data")
  const { store } = await openStore(directory, () => undefined)
  assert.equal(statSync(directory).mode & 0o777, 0o700)
  for (const file of readdirSync(directory)) assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600)
  await store.close()
})

test("changes of a ticket that cannot be written are undone whole, and harm no other ticket", async (t) => {
  const directory = newDirectory(t)
  const wrong = { ...put("c", "3"), storedAt: 0.5 } as StorageChange
  const answers = await persistAll(directory, [[put("a", "1")], [put("b", "2"), wrong], [put("d", "4")]])
  assert.deepEqual(
    answers.map(({ kind, ticket }) => [ticket, kind]),
    [
      [0, "persisted"],
      [1, "persist-failed"],
      [2, "persisted"],
    ],
  )
  assert.deepEqual(await contents(directory), [put("a", "1"), put("d", "4")])
})

test("a small view does not drag the buffer that it looks into to the store", async (t) => {
  const directory = newDirectory(t)
  const large = Buffer.alloc(1_000_000, "x")
  await persistAll(directory, [[put("a", large.subarray(10, 12))]])
  assert.deepEqual(await contents(directory), [put("a", "xx")])
})

test("a directory that another has open is refused, and free again when that one closes", async (t) => {
  const directory = newDirectory(t)
  const { store } = await openStore(directory, () => undefined)
  await assert.rejects(
    openStore(directory, () => undefined),
    (error) => {
      return error instanceof StoreError && /in use by another Carillon.*--data/.test(error.message)
    },
  )
  await store.close()
  await contents(directory)
})

test("a store of a newer schema is refused in a sentence, and left as it is", async (t) => {
  const directory = newDirectory(t)
  await persistAll(directory, [[put("a", "1")]])
  const database = new DatabaseSync(join(directory, "records.db"))
  database.exec("PRAGMA user_version = 7")
  database.close()
  await assert.rejects(
    openStore(directory, () => undefined),
    (error) => {
      return (
        error instanceof StoreError &&
        /schema 7 and this version of Carillon knows 1: run/.test(error.message)
      )
    },
  )
})

const CHILD = `
  const { openStore } = await import(process.argv[1])
  let store
  const resource = "0123456789abcdef0123456789abcdef01234567"
  const persist = (ticket) => store.persist(ticket, [{
    kind: "put", resource, kindId: 1, slot: String(ticket), generation: 1, storedAt: 1, value: new Uint8Array(2000),
  }])
  const limit = Number(process.argv[3])
  ;({ store } = await openStore(process.argv[2], (answer) => {
    console.log(JSON.stringify(answer))
    if (answer.ticket + 1 < limit) persist(answer.ticket + 1)
  }))
  persist(0)
`

/** A process that persists one thing after the other and prints each answer. */
function spawnWriter(t: TestContext, directory: string, count: number, shell = "exec"): ChildProcess {
  const store = new URL("./store.ts", import.meta.url).href
  const node = [process.execPath, "--no-warnings", "--input-type=module", "--eval", CHILD]
  const child = spawn("sh", ["-c", `${shell} "$@"`, "sh", ...node, store, directory, String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  t.after(() => child.kill("SIGKILL"))
  return child
}

test("what was reported persisted survives SIGKILL", async (t) => {
  const directory = newDirectory(t)
  const child = spawnWriter(t, directory, Number.POSITIVE_INFINITY)
  let persisted = 0
  for await (const line of createInterface({ input: child.stdout! })) {
    assert.equal(JSON.parse(line).kind, "persisted")
    persisted++
    if (persisted === 50) child.kill("SIGKILL")
  }
  assert.ok(persisted >= 50)
  const slots = (await contents(directory)).map((change) => "slot" in change && Number(change.slot))
  for (let ticket = 0; ticket < persisted; ticket++) assert.ok(slots.includes(ticket), `${ticket} is lost`)
})

test("a disk that takes no more fails writes with the reason, keeps what it has, and the process lives", async (t) => {
  const directory = newDirectory(t)
  // No file may grow beyond 600 blocks of 512 bytes; the signal that says so is ignored.
  const child = spawnWriter(t, directory, 400, "trap '' XFSZ; ulimit -f 600; exec")
  const answers: PersistAnswer[] = []
  const lines = createInterface({ input: child.stdout! })
  lines.on("line", (line) => {
    answers.push(JSON.parse(line))
    if (answers.length === 400) child.kill("SIGTERM")
  })
  await once(child, "exit")
  assert.equal(answers.length, 400)
  const failed = answers.filter((answer) => answer.kind === "persist-failed")
  assert.ok(failed.length > 0 && failed.length < 400)
  assert.match(failed[0]!.reason, /disk/)
  const kept = new Set((await contents(directory)).map((change) => "slot" in change && change.slot))
  for (const { kind, ticket } of answers) {
    if (kind === "persisted") assert.ok(kept.has(String(ticket)), `${ticket} is lost`)
  }
})

test("after closing every write is refused, none is forgotten", async (t) => {
  const answers: PersistAnswer[] = []
  const { store }: { store: RecordStore } = await openStore(newDirectory(t), (answer) => answers.push(answer))
  await store.close()
  store.persist(1, [put("a", "1")])
  await new Promise(setImmediate)
  assert.equal(answers[0]?.kind, "persist-failed")
})

/** Garbles the bytes of a file from `start` on. */
function garble(file: string, start: number, length: number): void {
  const bytes = readFileSync(file)
  bytes.fill(0xa5, start, start + length)
  writeFileSync(file, bytes)
}

const databaseOf = (directory: string) => join(directory, "records.db")

/** Each makes something else of a database of some ten pages. */
const DAMAGES: Readonly<Record<string, (file: string) => void>> = {
  "its header is garbled": (file) => garble(file, 0, 100),
  "a page in it is garbled": (file) => garble(file, 4_096, 4_096),
  "some pages at its end are missing": (file) => truncateSync(file, statSync(file).size - 3 * 4_096),
  "half a page at its end is missing": (file) => truncateSync(file, statSync(file).size - 2_048),
  "one byte of a value is another": (file) => {
    const at = readFileSync(file).indexOf("find me")
    assert.ok(at > 0)
    garble(file, at, 1)
  },
  "it is something else": (file) => writeFileSync(file, "x".repeat(8_192)),
}

for (const [damage, inflict] of Object.entries(DAMAGES))
  test(`a store is told to be damaged, and left as it is, where ${damage}`, async (t) => {
    const directory = newDirectory(t)
    const values = Array.from({ length: 40 }, (_, index) => put(`slot ${index}`, "v".repeat(700)))
    await persistAll(directory, [[...values, put("other", "find me")]])
    inflict(databaseOf(directory))
    const before = readFileSync(databaseOf(directory))
    await assert.rejects(
      openStore(directory, () => undefined),
      (error) => error instanceof StoreDamage,
    )
    assert.deepEqual(readFileSync(databaseOf(directory)), before)
  })

test("a store of the time before checksums is read, and gets them as it is written", async (t) => {
  const directory = newDirectory(t)
  const database = new DatabaseSync(databaseOf(directory))
  database.exec(`
    CREATE TABLE records (
      resource TEXT NOT NULL, kind INTEGER NOT NULL, slot TEXT NOT NULL,
      generation INTEGER NOT NULL, stored_at INTEGER NOT NULL, value BLOB NOT NULL,
      PRIMARY KEY (resource, kind, slot)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE certificates (fingerprint TEXT PRIMARY KEY, der BLOB NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO records VALUES ('0123456789abcdef0123456789abcdef01234567', ${0xf0000001}, 'a', ${2 ** 40}, 1700000000123, x'31');
    INSERT INTO certificates VALUES ('ff', x'0102');
    PRAGMA user_version = 1;
  `)
  database.close()
  await persistAll(directory, [[put("b", "2")]])
  assert.deepEqual(await contents(directory), [
    { kind: "certificate", fingerprint: "ff", der: Uint8Array.of(1, 2) },
    put("a", "1"),
    put("b", "2"),
  ])
})

test("a store that turns out damaged while it is in use is set aside, and written anew from what is known", async (t) => {
  const directory = newDirectory(t)
  // More than SQLite keeps in memory, so that it has to read again.
  const held = new Map(
    Array.from({ length: 3_000 }, (_, index) => [`slot ${index}`, put(`slot ${index}`, "v".repeat(3_000))]),
  )
  await persistAll(directory, [[...held.values()]])
  const rebuilt: string[] = []
  const { promise: answered, resolve } = Promise.withResolvers<readonly PersistAnswer[]>()
  const answers: PersistAnswer[] = []
  const take = (answer: PersistAnswer) => answers.push(answer) === 3 && resolve(answers)
  const { store } = await openStore(directory, take, {
    snapshot: () => [...held.values()],
    rebuilt: (aside, reason) => rebuilt.push(aside, reason),
  })
  garble(databaseOf(directory), 4_096 * 2, statSync(databaseOf(directory)).size - 4_096 * 3)
  for (const [ticket, slot] of ["slot 10", "slot 2990", "new"].entries()) {
    const change = put(slot, "w")
    held.set(slot, change)
    store.persist(ticket, [change])
  }
  assert.deepEqual(
    (await answered).map(({ kind }) => kind),
    ["persisted", "persisted", "persisted"],
  )
  await store.close()
  assert.match(rebuilt.join(": "), /records\.db\.damaged-\d{4}-\d\d-\d\dT[\d-]+\.\d{3}Z: .*malformed/)
  assert.ok(statSync(rebuilt[0]!).size > 3_000 * 3_000)
  const bySlot = (changes: Iterable<StorageChange>) =>
    [...changes]
      .flatMap((change) => ("slot" in change ? [change] : []))
      .sort((a, b) => (a.slot < b.slot ? -1 : 1))
  assert.deepEqual(bySlot(await contents(directory)), bySlot(held.values()))
})

test("without anybody who knows what was in it, a damaged store in use fails what is written, and says so", async (t) => {
  const directory = newDirectory(t)
  await persistAll(directory, [
    Array.from({ length: 3_000 }, (_, index) => put(`slot ${index}`, "v".repeat(3_000))),
  ])
  const { promise: answered, resolve } = Promise.withResolvers<PersistAnswer>()
  const { store } = await openStore(directory, resolve)
  garble(databaseOf(directory), 4_096 * 2, statSync(databaseOf(directory)).size - 4_096 * 3)
  store.persist(1, [put("slot 10", "w")])
  const answer = await answered
  assert.ok(answer.kind === "persist-failed" && /malformed/.test(answer.reason))
  await store.close()
})
