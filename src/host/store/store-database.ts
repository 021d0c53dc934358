import { dirname } from "node:path"
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite"
import { crc32 } from "node:zlib"
import type { ResourceId } from "../../core/reload/header.ts"
import type { StorageChange } from "../../core/storage/change.ts"

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

/**
 * A checksum of a row's other columns, so that what a disk garbles inside a value is noticed. Stores made before it have it
 * added, and rows written before it have none; versions that do not know it read and write the rest.
 */
const sumFor = (table: string) => `ALTER TABLE ${table} ADD COLUMN sum INTEGER`

/** Pages that SQLite keeps in memory: all is read once, at start, and from then on it is written only. */
const CACHE_KIBIBYTES = 2_048

/** Rows handed over at a time when the store is read. */
const LOAD_BATCH = 5_000

/** The store cannot be opened; the message is for the operator. */
export class DatabaseRefusal extends Error {}

/** It is not what was written; the message says what is wrong with it. */
export class DatabaseDamage extends Error {}

/** Why nothing was changed: in the second case because what is on disk is not what was written. */
export type CommitFailure = { readonly kind: "failed" | "damaged"; readonly reason: string }

/** The records in SQLite. Synchronous: it lives on a thread of its own. */
export class StoreDatabase {
  readonly #database: DatabaseSync
  readonly #file: string
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #certificate: StatementSync
  readonly #forget: StatementSync

  /** Throws `DatabaseRefusal`, or `DatabaseDamage`. */
  constructor(file: string) {
    this.#file = file
    this.#database = openDatabase(file)
    this.#put = this.#database.prepare(
      "INSERT OR REPLACE INTO records (resource, kind, slot, generation, stored_at, value, sum) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    this.#delete = this.#database.prepare("DELETE FROM records WHERE resource = ? AND kind = ? AND slot = ?")
    this.#certificate = this.#database.prepare(
      "INSERT OR REPLACE INTO certificates (fingerprint, der, sum) VALUES (?, ?, ?)",
    )
    this.#forget = this.#database.prepare("DELETE FROM certificates WHERE fingerprint = ?")
  }

  /** All that it holds, certificates first, in batches. Throws `DatabaseDamage`. */
  *load(): Generator<readonly StorageChange[]> {
    try {
      let batch: StorageChange[] = []
      for (const row of this.#database.prepare("SELECT * FROM certificates").iterate())
        batch.push(readCertificate(row))
      for (const row of this.#database.prepare("SELECT * FROM records").iterate()) {
        if (batch.length >= LOAD_BATCH) {
          yield batch
          batch = []
        }
        batch.push(readRecord(row))
      }
      yield batch
    } catch (cause) {
      throw cause instanceof DatabaseDamage ? cause : explained(cause, this.#file)
    }
  }

  /** One transaction, on disk when this returns. Answers why it failed, and then nothing has changed. */
  commit(changes: Iterable<StorageChange>): CommitFailure | undefined {
    try {
      this.#database.exec("BEGIN IMMEDIATE")
      for (const change of changes) this.#apply(change)
      this.#database.exec("COMMIT")
      return undefined
    } catch (cause) {
      // Of some failures, a full disk among them, SQLite has rolled back by itself.
      const problem = explained(cause, this.#file)
      if (problem instanceof DatabaseDamage) return { kind: "damaged", reason: problem.message }
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK")
      return { kind: "failed", reason: problem.message }
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
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
          sumOf(change),
        )
        break
      case "delete":
        this.#delete.run(change.resource, change.kindId, change.slot)
        break
      case "certificate":
        this.#certificate.run(change.fingerprint, change.der, sumOf(change))
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
    database.exec(`PRAGMA cache_size = ${-CACHE_KIBIBYTES}`)
    database.exec("BEGIN EXCLUSIVE")
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"])
    if (version > SCHEMA) {
      throw new DatabaseRefusal(
        `the record store ${file} is of schema ${version} and this version of Carillon knows ${SCHEMA}: ` +
          "run the version that wrote it, or a newer one",
      )
    }
    if (version === 0) database.exec(TABLES)
    for (const table of ["records", "certificates"]) {
      const columns = database.prepare(`PRAGMA table_info(${table})`).all()
      if (columns.every(({ name }) => name !== "sum")) database.exec(sumFor(table))
    }
    database.exec("COMMIT")
    return database
  } catch (cause) {
    database.close()
    throw cause instanceof DatabaseRefusal ? cause : explained(cause, file)
  }
}

type Row = Readonly<Record<string, SQLOutputValue>>
type Put = Extract<StorageChange, { kind: "put" | "certificate" }>

const readCertificate = (row: Row): StorageChange =>
  checked(row, {
    kind: "certificate",
    fingerprint: row["fingerprint"] as string,
    der: row["der"] as Uint8Array,
  })

const readRecord = (row: Row): StorageChange =>
  checked(row, {
    kind: "put",
    resource: row["resource"] as ResourceId,
    kindId: row["kind"] as number,
    slot: row["slot"] as string,
    generation: row["generation"] as number,
    storedAt: row["stored_at"] as number,
    value: row["value"] as Uint8Array,
  })

function checked(row: Row, change: Put): StorageChange {
  if (row["sum"] === null || row["sum"] === sumOf(change)) return change
  throw new DatabaseDamage(
    `a ${change.kind === "put" ? "record" : "certificate"} in it does not have its checksum`,
  )
}

function sumOf(change: Put): number {
  if (change.kind === "certificate") return crc32(change.der, crc32(change.fingerprint))
  const { resource, kindId, slot, generation, storedAt, value } = change
  return crc32(value, crc32(`${resource} ${kindId} ${slot} ${generation} ${storedAt}`))
}

/** SQLite's result codes, https://sqlite.org/rescode.html. Primary ones; extended ones hold them in the low byte. */
const WORDS: Readonly<Record<number, (file: string) => string>> = {
  5: (file) =>
    `the data directory ${dirname(file)} is in use by another Carillon: stop that one, or choose another with --data`,
  8: (file) => `${file} cannot be written: make it writable for this user`,
  10: (file) => `reading or writing ${file} failed: check the disk and the system's log`,
  13: (file) => `the disk is full: free space for ${dirname(file)}`,
  14: (file) => `${file} cannot be opened: check that this user may read and write it`,
}

/** Primary codes: SQLITE_CORRUPT, SQLITE_NOTADB. */
const DAMAGE: ReadonlySet<number> = new Set([11, 26])
/** Extended ones: SQLITE_IOERR_READ, _SHORT_READ, _DATA, _CORRUPTFS. A disk that cannot be written is no damage. */
const UNREADABLE: ReadonlySet<number> = new Set([266, 522, 8_202, 8_458])

function explained(cause: unknown, file: string): DatabaseRefusal | DatabaseDamage {
  const { errcode = 0, message } = cause as Error & { readonly errcode?: number }
  if (DAMAGE.has(errcode & 0xff) || UNREADABLE.has(errcode)) return new DatabaseDamage(message)
  return new DatabaseRefusal(WORDS[errcode & 0xff]?.(file) ?? `the record store ${file} fails: ${message}`)
}
