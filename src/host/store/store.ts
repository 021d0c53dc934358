import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { CarillonError } from "../../core/kit/errors.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { StoreError } from "../kit/store-loss.ts"
import type { FromStoreWorker, ToPersist, ToStoreWorker } from "./store-messages.ts"

/** What it holds is not what was written; the message says what is wrong with it. */
export class StoreDamage extends CarillonError {
  readonly code = "host.store-damage"
}

export type PersistAnswer =
  | { readonly kind: "persisted"; readonly ticket: number }
  | { readonly kind: "persist-failed"; readonly ticket: number; readonly reason: string }

export interface RecordStore {
  /** Makes the changes durable, all or none; answers come in the order of the calls. */
  persist(ticket: number, changes: readonly StorageChange[]): void
  /** Writes what waits, and closes. */
  close(): Promise<void>
}

/** How a store that turns out damaged while it is in use comes to a new one. */
export interface Rebuilding {
  /** All that is to be in it. */
  snapshot(): readonly StorageChange[]
  /** It has been done: the damaged one has that name now. */
  rebuilt(aside: string, reason: string): void
}

export interface OpenedStore {
  readonly store: RecordStore
  /** All that it holds. */
  readonly changes: readonly StorageChange[]
}

/** The database's file in a data directory. */
export const storeFile = (directory: string): string => join(directory, "records.db")

/**
 * Opens the record store in `directory`, making it where there is none. It belongs to this process
 * until closed. Throws `StoreError`, a sentence on what to do, or `StoreDamage`.
 */
export async function openStore(
  directory: string,
  answer: (answer: PersistAnswer) => void,
  rebuilding?: Rebuilding,
): Promise<OpenedStore> {
  const file = storeFile(directory)
  createPrivately(directory, file)
  // The worker is a source file in a checkout and a compiled one in the package.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js"
  const worker = new Worker(new URL(`./store-worker.${extension}`, import.meta.url), {
    workerData: { file },
    // Not our own flags, some of which no worker takes; SQLite's novelty is no news to an operator.
    execArgv: ["--disable-warning=ExperimentalWarning"],
  })
  const changes = await load(worker)
  return { store: new WorkerStore(worker, answer, rebuilding), changes }
}

/** SQLite gives its other files the permissions of the first. */
function createPrivately(directory: string, file: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    closeSync(openSync(file, "a", 0o600))
    chmodSync(file, 0o600)
  } catch (cause) {
    throw new StoreError(
      `the data directory ${directory} cannot be written (${(cause as Error).message}): ` +
        "make it writable for this user, or choose another with --data",
      { cause },
    )
  }
}

function load(worker: Worker): Promise<readonly StorageChange[]> {
  return new Promise((resolve, reject) => {
    const changes: StorageChange[] = []
    const failed = (cause: Error) =>
      reject(new StoreError(`the record store fails: ${cause.message}`, { cause }))
    const take = (message: FromStoreWorker) => {
      if (message.kind === "loaded") {
        for (const change of message.changes) changes.push(change)
        if (message.isLast) finish(() => resolve(changes))
      } else if (message.kind === "refused") {
        finish(() => reject(new StoreError(message.reason)))
      } else if (message.kind === "damaged") {
        finish(() => reject(new StoreDamage(message.reason)))
      }
    }
    const finish = (settle: () => void) => {
      worker.off("message", take)
      worker.off("error", failed)
      settle()
    }
    worker.on("message", take)
    worker.on("error", failed)
  })
}

class WorkerStore implements RecordStore {
  readonly #worker: Worker
  readonly #answer: (answer: PersistAnswer) => void
  readonly #rebuilding: Rebuilding | undefined
  readonly #outstanding = new Set<number>()
  #gathered: ToPersist[] = []
  #failure: string | undefined
  readonly #ended: Promise<void>

  constructor(worker: Worker, answer: (answer: PersistAnswer) => void, rebuilding: Rebuilding | undefined) {
    this.#worker = worker
    this.#answer = answer
    this.#rebuilding = rebuilding
    worker.on("message", (message: FromStoreWorker) => this.#take(message))
    worker.on("error", (cause) => this.#fail(cause.message))
    this.#ended = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#fail("it has been closed")
        resolve()
      })
    })
  }

  persist(ticket: number, changes: readonly StorageChange[]): void {
    const failure = this.#failure
    if (failure !== undefined) {
      queueMicrotask(() => this.#answer({ kind: "persist-failed", ticket, reason: failure }))
      return
    }
    this.#outstanding.add(ticket)
    // What one turn of the loop brings goes to the worker in one message: they cost more than their contents.
    if (this.#gathered.push({ ticket, changes: changes.map(compact) }) === 1)
      setImmediate(() => this.#postGathered())
  }

  async close(): Promise<void> {
    this.#postGathered()
    this.#post({ kind: "close" })
    await this.#ended
  }

  #postGathered(): void {
    const persists = this.#gathered
    this.#gathered = []
    if (persists.length > 0) this.#post({ kind: "persist", persists })
  }

  #post(message: ToStoreWorker): void {
    this.#worker.postMessage(message)
  }

  #take(message: FromStoreWorker): void {
    if (message.kind === "damaged")
      this.#post({ kind: "rebuild", changes: this.#rebuilding?.snapshot().map(compact) })
    if (message.kind === "rebuilt") this.#rebuilding?.rebuilt(message.aside, message.reason)
    if (message.kind !== "answers") return
    for (const { ticket, failure } of message.answers) {
      this.#outstanding.delete(ticket)
      this.#answer(
        failure === undefined
          ? { kind: "persisted", ticket }
          : { kind: "persist-failed", ticket, reason: failure },
      )
    }
  }

  /** The worker is gone: nothing that waits will be written, and nothing that comes. */
  #fail(cause: string): void {
    this.#failure ??= `the record store has stopped: ${cause}`
    for (const ticket of this.#outstanding) {
      this.#answer({ kind: "persist-failed", ticket, reason: this.#failure })
    }
    this.#outstanding.clear()
  }
}

function compact(change: StorageChange): StorageChange {
  switch (change.kind) {
    case "put":
      return isWhole(change.value) ? change : { ...change, value: new Uint8Array(change.value) }
    case "certificate":
      return isWhole(change.der) ? change : { ...change, der: new Uint8Array(change.der) }
    case "delete":
    case "forget-certificate":
      return change
  }
}

/** A view of a few bytes would be sent with all of the buffer that it looks into. */
const isWhole = ({ length, buffer }: Uint8Array): boolean => length === buffer.byteLength
