import { open, readFile, rename } from "node:fs/promises"
import { join } from "node:path"
import { type Address, formatAddress } from "../../core/kit/address.ts"
import { type LogEffect, log } from "../../core/kit/log.ts"
import { HOST_LIMITS } from "../kit/limits.ts"

const FORMAT = 1

/** The peers that were last seen, on disk: how a farm that starts again finds itself. */
export interface PeerFile {
  /** Those of the last run; none where there is no such file, or none that can be read. */
  read(): Promise<readonly Address[]>
  /** Replaces them; what comes while the disk is busy is written once, the last of it. */
  write(addresses: readonly Address[]): void
  /** Settles when everything is written. */
  close(): Promise<void>
}

/** `peers.json` in the data directory. Losing it loses nothing but time, so failures are only reported. */
export function openPeerFile(directory: string, report: (event: LogEffect) => void): PeerFile {
  const file = join(directory, "peers.json")
  let next: readonly Address[] | undefined
  let writing: Promise<void> | undefined
  const complain = (event: string, cause: unknown) =>
    report(log("warn", event, { file, cause: (cause as Error).message }))

  const drain = async () => {
    while (next !== undefined) {
      const addresses = next
      next = undefined
      try {
        await replace(file, JSON.stringify({ format: FORMAT, addresses }))
      } catch (cause) {
        complain("host.peers-not-written", cause)
      }
    }
    writing = undefined
  }

  return {
    async read() {
      try {
        return parse(await readFile(file, "utf8"))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") complain("host.peers-not-read", cause)
        return []
      }
    },
    write(addresses) {
      next = addresses.slice(0, HOST_LIMITS.peers.addresses)
      writing ??= drain()
    },
    close: () => writing ?? Promise.resolve(),
  }
}

/** Addresses of both lists, each once, in their order. */
export function mergeAddresses(...lists: readonly (readonly Address[])[]): readonly Address[] {
  return [...new Map(lists.flat().map((address) => [formatAddress(address), address])).values()]
}

function parse(text: string): readonly Address[] {
  const document: unknown = JSON.parse(text)
  if (!isRecord(document) || document["format"] !== FORMAT || !Array.isArray(document["addresses"]))
    throw new Error("it is not in the format of this version")
  return document["addresses"].filter(isAddress).slice(0, HOST_LIMITS.peers.addresses)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isAddress = (value: unknown): value is Address =>
  isRecord(value) && typeof value["host"] === "string" && typeof value["port"] === "number"

/** So that a crash leaves the old file or the new one, whole. */
async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}.new`
  const handle = await open(draft, "w", 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}
