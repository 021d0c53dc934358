import { parentPort, workerData } from "node:worker_threads"
import { invariant } from "../core/kit/errors.ts"
import { DatabaseRefusal, StoreDatabase } from "./store-database.ts"
import type { FromStoreWorker, StoreWorkerAnswer, ToPersist, ToStoreWorker } from "./store-messages.ts"

// The thread on which the record store lives, so that fsync holds up no call.

const port = parentPort
invariant(port !== null, "the store worker runs as a worker")

const say = (message: FromStoreWorker) => port.postMessage(message)

function serve(database: StoreDatabase): void {
  let gathered: ToPersist[] = []
  const flush = () => {
    const batch = gathered
    gathered = []
    if (batch.length > 0) say({ kind: "answers", answers: commit(database, batch) })
  }
  port?.on("message", (message: ToStoreWorker) => {
    if (message.kind === "close") {
      flush()
      database.close()
      port.close()
      return
    }
    // Group commit without a wait: what comes while the disk is busy is the next group.
    if (gathered.length === 0) setImmediate(flush)
    for (const persist of message.persists) gathered.push(persist)
  })
}

/** One fsync for all; where that fails, each alone, so that one bad change harms no other. */
function commit(database: StoreDatabase, batch: readonly ToPersist[]): readonly StoreWorkerAnswer[] {
  const failure = database.commit(batch.flatMap(({ changes }) => changes))
  return batch.map(({ ticket, changes }) => ({
    ticket,
    failure: failure === undefined || batch.length === 1 ? failure : database.commit(changes),
  }))
}

function open(file: string): StoreDatabase | undefined {
  try {
    return new StoreDatabase(file)
  } catch (cause) {
    if (!(cause instanceof DatabaseRefusal)) throw cause
    say({ kind: "refused", reason: cause.message })
    return undefined
  }
}

const database = open((workerData as { readonly file: string }).file)
if (database !== undefined) {
  for (const changes of database.load()) say({ kind: "loaded", changes, isLast: false })
  say({ kind: "loaded", changes: [], isLast: true })
  serve(database)
}
