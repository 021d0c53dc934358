import { rm, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { type LogEffect, log } from "../../core/kit/log.ts"
import { seconds } from "../../core/kit/time.ts"
import type { Health } from "../../core/node/interface.ts"
import { readIfPresent, syncDirectory, writePrivateFile } from "../kit/files.ts"
import { type LostRecords, StoreError, type StoreLoss } from "../kit/store-loss.ts"
import { asideName, isThere, setAside } from "./set-aside.ts"
import {
  type OpenedStore,
  openStore,
  type PersistAnswer,
  type Rebuilding,
  StoreDamage,
  storeFile,
} from "./store.ts"

/** Others are given so long to answer a node that has lost its records. */
const PATIENCE = seconds(30)
/** So long after it serves again a node has its share of copies: hold-down, transfers, and as long again. */
const SETTLED = seconds(60)

export interface RecordsSettings {
  readonly data: string
  /** It has run before: a store that is not there has gone. */
  readonly isReturning: boolean
  /** Where other nodes may be found is known. */
  readonly hasOthers: boolean
  readonly acceptLoss: boolean
  readonly now: number
}

/** What the mark of an earlier start says, until all records are here again. */
const markIn = (data: string) => join(data, "records-lost.json")

/**
 * Opens the record store. A damaged one is set aside, never deleted, and the node begins with an empty one that the other
 * nodes fill. Throws `StoreError` where nobody is known who could: nothing has been touched then.
 */
export async function openRecords(
  settings: RecordsSettings,
  answer: (answer: PersistAnswer) => void,
  rebuilding: Rebuilding,
): Promise<OpenedStore & { readonly loss: StoreLoss | undefined }> {
  const { data, isReturning, hasOthers, acceptLoss, now } = settings
  const file = storeFile(data)
  const earlier = await readMark(data)
  const open = () => openStore(data, answer, rebuilding)
  const absence = isReturning && earlier === undefined ? await absenceOf(file) : undefined
  const opened = absence === undefined ? await open().catch(damageOnly) : new StoreDamage(absence)
  const isNew = opened instanceof StoreDamage
  if (!isNew && earlier === undefined) return { ...opened, loss: undefined }
  if (!acceptLoss && !hasOthers) {
    if (!isNew) await opened.store.close()
    throw new StoreError(
      isNew
        ? `the record store ${file} ${problemOf(opened, absence)}, and this node knows no other that has copies; nothing was changed. ${REMEDY}`
        : `${describeLoss(earlier!)}, and this node knows no other that has copies. ${REMEDY}`,
    )
  }
  // What is left of a store that is missing is set aside as well: SQLite would delete it.
  const aside = isThere(file) ? asideName(file, now) : undefined
  const lost = isNew ? { at: now, problem: problemOf(opened, absence), aside } : earlier!
  // The mark first: a crash in between must not leave an empty store that looks like one in order.
  if (isNew) await writePrivateFile(markIn(data), JSON.stringify(lost))
  if (isNew && aside !== undefined) setAside(file, now)
  const store = isNew ? await open() : opened
  if (acceptLoss) await removeMark(data)
  return { ...store, loss: { ...lost, state: acceptLoss ? "accepted" : "fetching" } }
}

/** Half a sentence for the operator. */
export function describeLoss({ at, problem, aside }: LostRecords): string {
  const kept = aside === undefined ? "" : ` and was set aside as ${aside}`
  return `the record store ${problem}${kept} (${new Date(at).toISOString()})`
}

const REMEDY =
  'Start another node of the fabric first; or restore the fabric from its backup with "carillon restore" and an empty --data; ' +
  "or give --accept-loss, to go on without the users and registrations that were in it"

/** Watches over a node that has lost its records, until they are here again. */
export class Recovery {
  readonly #data: string
  readonly #loss: StoreLoss
  readonly #parts: RecoveryParts
  readonly #patience: NodeJS.Timeout
  #settling: NodeJS.Timeout | undefined
  #isOver = false

  constructor(data: string, loss: StoreLoss, parts: RecoveryParts) {
    this.#data = data
    this.#loss = loss
    this.#parts = parts
    this.#patience = setInterval(() => this.#giveUp(), PATIENCE)
  }

  get loss(): StoreLoss {
    return this.#isOver ? { ...this.#loss, state: "fetched" } : this.#loss
  }

  heard({ state }: Health): void {
    if (state !== "healthy" || this.#settling !== undefined) return
    clearInterval(this.#patience)
    this.#settling = setTimeout(() => void this.#finish(), SETTLED)
  }

  stop(): void {
    clearInterval(this.#patience)
    clearTimeout(this.#settling)
  }

  #giveUp(): void {
    if (this.#parts.hasPeers()) return
    this.stop()
    this.#parts.giveUp(
      new StoreError(`${describeLoss(this.#loss)}, and no other node answers that has copies. ${REMEDY}`),
    )
  }

  async #finish(): Promise<void> {
    try {
      await removeMark(this.#data)
      this.#isOver = true
      this.#parts.log(log("info", "store.records-fetched", {}))
    } catch (cause) {
      // At the next start it asks the others once more: no harm.
      this.#parts.log(log("warn", "store.mark-not-removed", { cause: (cause as Error).message }))
    }
  }
}

export interface RecoveryParts {
  /** Other nodes of the ring are there: it will come about, however long it takes. */
  hasPeers(): boolean
  giveUp(cause: StoreError): void
  readonly log: (event: LogEffect) => void
}

function damageOnly(cause: unknown): StoreDamage {
  if (cause instanceof StoreDamage) return cause
  throw cause
}

const problemOf = (damage: StoreDamage, absence: string | undefined): string =>
  absence ?? `is damaged (${damage.message})`

/** A file without a byte is a new database to SQLite, and an accident to us. */
async function absenceOf(file: string): Promise<string | undefined> {
  try {
    return (await stat(file)).size === 0 ? "is empty" : undefined
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "is missing"
    throw new StoreError(
      `${basename(file)} cannot be looked at (${(cause as Error).message}): make the data directory readable for this user`,
      { cause },
    )
  }
}

async function readMark(data: string): Promise<LostRecords | undefined> {
  const text = await readIfPresent(markIn(data))
  if (text === undefined) return undefined
  const { at, problem, aside } = JSON.parse(text) as Partial<LostRecords>
  if (typeof at === "number" && typeof problem === "string") return { at, problem, aside }
  throw new StoreError(`${markIn(data)} is not what this node has written: remove it if all records are here`)
}

async function removeMark(data: string): Promise<void> {
  await rm(markIn(data), { force: true })
  await syncDirectory(data)
}
