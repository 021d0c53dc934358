import { readFile } from "node:fs/promises"
import type { Command } from "commander"
import { CarillonError } from "../../../core/kit/errors.ts"
import type { ControlClient } from "../../control/client.ts"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { inOrderOfIndex } from "../import-order.ts"
import { CommandError } from "../outcome.ts"
import { type Progress, startProgress } from "../progress.ts"
import type { Stage } from "../stage.ts"
import { counted } from "../table.ts"
import { readUserFile, type UserLine } from "../user-file.ts"

/** Large enough that a request's own cost vanishes, small enough that a refusal loses little. */
const BATCH = 200
/** Keeps node and disk busy while answers travel. */
const IN_FLIGHT = 4

export function addUserImport(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("import")
    .description("Import users from a file of name,password lines; those that exist get the new password.")
    .argument("<file>", "CSV without a header; quote a field that holds a comma")
    .option("--json", "print how many and how long as one line of JSON")
  withConnection(command).action(
    async (file: string, options: ConnectionOptions & { readonly json?: true }) => {
      const text = await readText(file)
      const client = await connect(options, terminal)
      const { domain } = await client.call("status", {})
      const { users, bad } = readUserFile(text, domain)
      for (const { line, problem } of bad) terminal.remark(`${file} line ${line}: ${problem}`)
      if (bad.length > 0)
        throw new CommandError(
          `${counted(bad.length, "line")} of ${file} cannot be imported, so nothing was; correct them and run this again`,
        )
      if (users.length === 0) throw new CommandError(`${file} holds no users; write lines of name,password`)
      const begin = performance.now()
      const progress = await startProgress(users.length, "users", terminal)
      await sendAll(client, inOrderOfIndex(users, domain), progress).finally(() => progress.stop())
      const seconds = Number(((performance.now() - begin) / 1_000).toFixed(1))
      if (options.json) terminal.print(JSON.stringify({ count: users.length, seconds }))
      else terminal.print(`${counted(users.length, "user")} imported in ${seconds} s`)
    },
  )
}

/** Sends batches, a few at a time; after a failure no further one is begun. */
async function sendAll(client: ControlClient, users: readonly UserLine[], progress: Progress): Promise<void> {
  let next = 0
  let stored = 0
  let isStopped = false
  const worker = async () => {
    while (next < users.length && !isStopped) {
      const batch = users.slice(next, next + BATCH)
      next += BATCH
      await client.call("putUsers", { users: batch, mode: "import" })
      stored += batch.length
      progress.reach(stored)
    }
  }
  const guarded = () =>
    worker().catch((error: unknown) => {
      isStopped = true
      throw error
    })
  const results = await Promise.allSettled(Array.from({ length: IN_FLIGHT }, guarded))
  const failure = results.find((result) => result.status === "rejected")
  if (failure === undefined) return
  const reason: unknown = failure.reason
  throw reason instanceof CarillonError ? new ImportStopped(stored, users.length, reason) : reason
}

/** A batch failed after others had been stored. `code` is that of the failure, so the exit code is as well. */
class ImportStopped extends CarillonError {
  readonly code: string

  constructor(stored: number, total: number, cause: CarillonError) {
    super(
      `${stored} of ${total} users are imported, then: ${cause.message}; the same import can be run again`,
      { cause },
    )
    this.code = cause.code
  }
}

async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = { ENOENT: "does not exist", EACCES: "may not be read", EISDIR: "is a directory" }[code ?? ""]
    const what = error instanceof TypeError ? "is not UTF-8 text" : (why ?? `cannot be read (${message})`)
    throw new CommandError(`${file} ${what}; give a file of name,password lines`, { cause: error })
  }
}
