import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import { setImmediate } from "node:timers/promises"
import { createGunzip, createGzip, type Gunzip } from "node:zlib"
import { fromBase64 } from "../../core/kit/bytes.ts"
import { FormatError } from "../../core/kit/errors.ts"
import { parseResourceId } from "../../core/reload/header.ts"
import type { StorageChange } from "../../core/storage/change.ts"

// Records as text, a line each, for backups and for the way between two nodes. There may be millions: they are
// written, read and merged in blocks, so that a node that makes a backup still hears its links in between.

const BLOCK = 500

type Line =
  | readonly ["c", fingerprint: string, der: string]
  | readonly [
      "p",
      resource: string,
      kind: number,
      slot: string,
      generation: number,
      storedAt: number,
      value: string,
    ]

/** What `snapshot` gives, certificates and values: some lines at a time. */
export async function* printRecords(changes: readonly StorageChange[]): AsyncGenerator<string> {
  for (const block of blocksOf(changes)) {
    yield block.map(printLine).join("")
    await setImmediate()
  }
}

function printLine(change: StorageChange): string {
  const line = lineOf(change)
  return line === undefined ? "" : `${JSON.stringify(line)}\n`
}

function lineOf(change: StorageChange): Line | undefined {
  if (change.kind === "certificate") return ["c", change.fingerprint, toText(change.der)]
  if (change.kind !== "put") return undefined
  const { resource, kindId, slot, generation, storedAt, value } = change
  return ["p", resource, kindId, slot, generation, storedAt, toText(value)]
}

const toText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url")

/** Throws FormatError that names the line. */
export async function parseRecords(lines: AsyncIterable<string>): Promise<readonly StorageChange[]> {
  const changes: StorageChange[] = []
  for await (const line of lines) {
    const change = parseLine(line)
    if (change === undefined)
      throw new FormatError(`line ${changes.length + 1} of the records cannot be read`)
    changes.push(change)
  }
  return changes
}

/** Text, gzipped. */
export const pack = (text: AsyncIterable<string>): Promise<Uint8Array> =>
  buffer(Readable.from(text).pipe(createGzip()))

/** The lines of what was packed. Throws an Error of zlib where it is no such thing. */
export async function* unpack(packed: Uint8Array): AsyncGenerator<string> {
  const gunzip = createGunzip().setEncoding("utf8") as Gunzip
  gunzip.end(packed)
  let begun = ""
  for await (const text of gunzip) {
    const lines = `${begun}${text}`.split("\n")
    begun = lines.pop() ?? ""
    yield* lines
  }
  if (begun !== "") yield begun
}

function parseLine(text: string): StorageChange | undefined {
  try {
    const line = JSON.parse(text) as Line
    if (line[0] === "c") return { kind: "certificate", fingerprint: line[1], der: bytes(line[2]) }
    if (line[0] !== "p") return undefined
    const [, resource, kindId, slot, generation, storedAt, value] = line
    if (![kindId, generation, storedAt].every(Number.isSafeInteger) || typeof slot !== "string")
      return undefined
    return {
      kind: "put",
      resource: parseResourceId(resource),
      kindId,
      slot,
      generation,
      storedAt,
      value: bytes(value),
    }
  } catch {
    return undefined
  }
}

function bytes(text: string): Uint8Array {
  const read = fromBase64(text)
  if (read === undefined) throw new FormatError("it is not base64")
  return read
}

/** Records of several nodes as one: of each value the newest, of each certificate one. */
export async function mergeRecords(
  lists: readonly (readonly StorageChange[])[],
): Promise<readonly StorageChange[]> {
  const certificates = new Map<string, StorageChange>()
  const values = new Map<string, Extract<StorageChange, { kind: "put" }>>()
  for (const block of lists.flatMap((list) => [...blocksOf(list)])) {
    for (const change of block) {
      if (change.kind === "certificate") certificates.set(change.fingerprint, change)
      if (change.kind !== "put") continue
      const place = `${change.resource} ${change.kindId} ${change.slot}`
      const known = values.get(place)
      if (known === undefined || storageTimeOf(change) > storageTimeOf(known)) values.set(place, change)
    }
    await setImmediate()
  }
  return [...certificates.values(), ...values.values()]
}

function* blocksOf(changes: readonly StorageChange[]): Generator<readonly StorageChange[]> {
  for (let start = 0; start < changes.length; start += BLOCK) yield changes.slice(start, start + BLOCK)
}

/** StoredData begins with its length, 4 bytes, then storage_time, 8 bytes. RFC 6940 §7. */
const storageTimeOf = ({ value }: Extract<StorageChange, { kind: "put" }>): bigint =>
  new DataView(value.buffer, value.byteOffset, value.byteLength).getBigUint64(4)
