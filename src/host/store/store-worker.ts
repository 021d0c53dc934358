import { parentPort, workerData } from "node:worker_threads"
import { invariant } from "../../core/kit/errors.ts"
import type { StorageChange } from "../../core/storage/change.ts"
import { setAside } from "./set-aside.ts"
import { DatabaseDamage, DatabaseRefusal, StoreDatabase } from "./store-database.ts"
import type { FromStoreWorker, StoreWorkerAnswer, ToPersist, ToStoreWorker } from "./store-messages.ts"

// The thread on which the record store lives, so that fsync holds up no call.

const port = parentPort
invariant(port !== null, "the store worker runs as a worker")

const say = (message: FromStoreWorker) => port.postMessage(message)

/** Writes what comes, in groups. */
class Writer {
  readonly #file: string
  #database: StoreDatabase
  #gathered: ToPersist[] = []
  /** What is wrong with the database, until there is a new one: nothing is written meanwhile. */
  #damage: string | undefined
  /** Asked for what is to be in the new one. */
  #isAsking = false

  constructor(file: string, database: StoreDatabase) {
    this.#file = file
    this.#database = database
  }

  take(message: ToStoreWorker): void {
    switch (message.kind) {
      case "persist":
        // Group commit without a wait: what comes while the disk is busy is the next group.
        if (this.#gathered.length === 0) setImmediate(() => this.#flush())
        for (const persist of message.persists) this.#gathered.push(persist)
        return
      case "rebuild":
        return this.#rebuild(message.changes)
      case "close":
        this.#flush()
        this.#database.close()
        port!.close()
        return
    }
  }

  #flush(): void {
    if (this.#isAsking || this.#gathered.length === 0) return
    this.#damage ??= this.#commitAll(this.#gathered)
    if (this.#damage === undefined) return
    this.#isAsking = true
    say({ kind: "damaged", reason: this.#damage })
  }

  /** One fsync for all; where that fails, each alone, so that one bad change harms no other. Says what is damaged. */
  #commitAll(batch: readonly ToPersist[]): string | undefined {
    const failure = this.#database.commit(batch.flatMap(({ changes }) => changes))
    if (failure?.kind === "damaged") return failure.reason
    const answers: StoreWorkerAnswer[] = []
    for (const { ticket, changes } of batch) {
      const alone = failure === undefined || batch.length === 1 ? failure : this.#database.commit(changes)
      if (alone?.kind === "damaged") return alone.reason
      answers.push({ ticket, failure: alone?.reason })
    }
    this.#gathered = this.#gathered.slice(batch.length)
    say({ kind: "answers", answers })
    return undefined
  }

  /** What waits is in `changes` already, and is written once more: in its order it comes to the same. */
  #rebuild(changes: readonly StorageChange[] | undefined): void {
    const reason = this.#damage
    invariant(reason !== undefined, "nothing is rebuilt that is not damaged")
    this.#isAsking = false
    const failure = changes === undefined ? reason : this.#replace(changes, reason)
    if (failure === undefined) {
      this.#damage = undefined
      return this.#flush()
    }
    const answers = this.#gathered.map(({ ticket }) => ({ ticket, failure }))
    this.#gathered = []
    say({ kind: "answers", answers })
  }

  #replace(changes: readonly StorageChange[], reason: string): string | undefined {
    try {
      this.#database.close()
      const aside = setAside(this.#file, Date.now())
      this.#database = new StoreDatabase(this.#file)
      const failure = this.#database.commit(changes)
      if (failure === undefined) say({ kind: "rebuilt", aside, reason })
      return failure?.reason
    } catch (cause) {
      return `${this.#file} is damaged (${reason}), and no other can be made: ${(cause as Error).message}`
    }
  }
}

function open(file: string): StoreDatabase | undefined {
  let database: StoreDatabase | undefined
  try {
    database = new StoreDatabase(file)
    for (const changes of database.load()) say({ kind: "loaded", changes, isLast: false })
    return database
  } catch (cause) {
    database?.close()
    if (cause instanceof DatabaseDamage) say({ kind: "damaged", reason: cause.message })
    else if (cause instanceof DatabaseRefusal) say({ kind: "refused", reason: cause.message })
    else throw cause
    return undefined
  }
}

const { file } = workerData as { readonly file: string }
const database = open(file)
if (database !== undefined) {
  say({ kind: "loaded", changes: [], isLast: true })
  const writer = new Writer(file, database)
  port.on("message", (message: ToStoreWorker) => writer.take(message))
}
