import { dirname } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import type { ResourceId } from "../core/reload/header.ts"
import type { StorageChange } from "../core/storage/change.ts"

/** Of the tables below; kept in SQLite's `user_version`, 0 in a new file. */
const SCHEMA = 1

const TABLES = `
  CREATE TABLE records (
    resource TEXT NOT NULL, kind INTEGER NOT NULL, slot TEXT NOT NULL,
    generation INTEGER NOT NULL, stored_at INTEGER NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (resource, kind, slot)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE certificates (fingerprint TEXT PRIMARY KEY, der BLOB NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA};
`

/** Rows handed over at a time when the store is read. */
const LOAD_BATCH = 5_000

/** The store cannot be opened; the message is for the operator. */
export class DatabaseRefusal extends Error {}

/** The records in SQLite. Synchronous: it lives on a thread of its own. */
export class StoreDatabase {
  readonly #database: DatabaseSync
  readonly #file: string
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #certificate: StatementSync
  readonly #forget: StatementSync

  /** Throws `DatabaseRefusal`. */
  constructor(file: string) {
    this.#file = file
    this.#database = openDatabase(file)
    this.#put = this.#database.prepare(
      "INSERT OR REPLACE INTO records (resource, kind, slot, generation, stored_at, value) VALUES (?, ?, ?, ?, ?, ?)",
    )
    this.#delete = this.#database.prepare("DELETE FROM records WHERE resource = ? AND kind = ? AND slot = ?")
    this.#certificate = this.#database.prepare(
      "INSERT OR REPLACE INTO certificates (fingerprint, der) VALUES (?, ?)",
    )
    this.#forget = this.#database.prepare("DELETE FROM certificates WHERE fingerprint = ?")
  }

  /** All that it holds, certificates first, in batches. */
  *load(): Generator<readonly StorageChange[]> {
    let batch: StorageChange[] = []
    for (const row of this.#database.prepare("SELECT fingerprint, der FROM certificates").iterate()) {
      batch.push({
        kind: "certificate",
        fingerprint: row["fingerprint"] as string,
        der: row["der"] as Uint8Array,
      })
    }
    for (const row of this.#database.prepare("SELECT * FROM records").iterate()) {
      if (batch.length >= LOAD_BATCH) {
        yield batch
        batch = []
      }
      batch.push({
        kind: "put",
        resource: row["resource"] as ResourceId,
        kindId: row["kind"] as number,
        slot: row["slot"] as string,
        generation: row["generation"] as number,
        storedAt: row["stored_at"] as number,
        value: row["value"] as Uint8Array,
      })
    }
    yield batch
  }

  /** One transaction, on disk when this returns. Answers why it failed, and then nothing has changed. */
  commit(changes: Iterable<StorageChange>): string | undefined {
    try {
      this.#database.exec("BEGIN IMMEDIATE")
      for (const change of changes) this.#apply(change)
      this.#database.exec("COMMIT")
      return undefined
    } catch (cause) {
      // Of some failures, a full disk among them, SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
      return explain(cause, this.#file)
    }
  }

  close(): void {
    this.#database.close()
  }

  #apply(change: StorageChange): void {
    switch (change.kind) {
      case "put":
        this.#put.run(
          change.resource,
          change.kindId,
          change.slot,
          change.generation,
          change.storedAt,
          change.value,
        )
        break
      case "delete":
        this.#delete.run(change.resource, change.kindId, change.slot)
        break
      case "certificate":
        this.#certificate.run(change.fingerprint, change.der)
        break
      case "forget-certificate":
        this.#forget.run(change.fingerprint)
        break
    }
  }
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // Exclusive: the lock is what keeps a second process from the same directory, and dies with us.
    database.exec("PRAGMA locking_mode = EXCLUSIVE")
    database.exec("PRAGMA journal_mode = WAL")
    database.exec("PRAGMA synchronous = FULL")
    database.exec("BEGIN EXCLUSIVE")
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"])
    if (version > SCHEMA) {
      throw new DatabaseRefusal(
        `the record store ${file} is of schema ${version} and this version of Carillon knows ${SCHEMA}: ` +
          "run the version that wrote it, or a newer one",
      )
    }
    if (version === 0) database.exec(TABLES)
    database.exec("COMMIT")
    return database
  } catch (cause) {
    database.close()
    throw cause instanceof DatabaseRefusal ? cause : new DatabaseRefusal(explain(cause, file))
  }
}

/** SQLite's primary result codes, https://sqlite.org/rescode.html; extended ones hold them in the low byte. */
const WORDS: Readonly<Record<number, (file: string) => string>> = {
  5: (file) =>
    `the data directory ${dirname(file)} is in use by another Carillon: stop that one, or choose another with --data`,
  8: (file) => `${file} cannot be written: make it writable for this user`,
  10: (file) => `reading or writing ${file} failed: check the disk and the system's log`,
  11: (file) => `${file} is damaged: move it away, and the fabric gives this node its copies anew`,
  13: (file) => `the disk is full: free space for ${dirname(file)}`,
  14: (file) => `${file} cannot be opened: check that this user may read and write it`,
  26: (file) =>
    `${file} is no record store of Carillon: move it away, or choose another directory with --data`,
}

function explain(cause: unknown, file: string): string {
  const { errcode, message } = cause as Error & { readonly errcode?: number }
  const words = errcode === undefined ? undefined : WORDS[errcode & 0xff]
  return words?.(file) ?? `the record store ${file} fails: ${message}`
}
