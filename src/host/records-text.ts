import { fromBase64, toBase64Url } from "../core/kit/bytes.ts"
import { FormatError } from "../core/kit/errors.ts"
import { parseResourceId } from "../core/reload/header.ts"
import type { StorageChange } from "../core/storage/change.ts"

// Records as text, a line each, for backups and for the way between two nodes.

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

/** What `snapshot` gives: certificates and values. */
export function printRecords(changes: readonly StorageChange[]): string {
  const lines = changes.flatMap((change): readonly Line[] => {
    if (change.kind === "certificate") return [["c", change.fingerprint, toBase64Url(change.der)]]
    if (change.kind !== "put") return []
    const { resource, kindId, slot, generation, storedAt, value } = change
    return [["p", resource, kindId, slot, generation, storedAt, toBase64Url(value)]]
  })
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("")
}

/** Throws FormatError that names the line. */
export function parseRecords(text: string): readonly StorageChange[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => {
      const change = parseLine(line)
      if (change === undefined) throw new FormatError(`line ${index + 1} of the records cannot be read`)
      return change
    })
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
export function mergeRecords(lists: readonly (readonly StorageChange[])[]): readonly StorageChange[] {
  const certificates = new Map<string, StorageChange>()
  const values = new Map<string, Extract<StorageChange, { kind: "put" }>>()
  for (const change of lists.flat()) {
    if (change.kind === "certificate") certificates.set(change.fingerprint, change)
    if (change.kind !== "put") continue
    const place = `${change.resource} ${change.kindId} ${change.slot}`
    const known = values.get(place)
    if (known === undefined || storageTimeOf(change) > storageTimeOf(known)) values.set(place, change)
  }
  return [...certificates.values(), ...values.values()]
}

/** StoredData begins with its length, 4 bytes, then storage_time, 8 bytes. RFC 6940 §7. */
const storageTimeOf = ({ value }: Extract<StorageChange, { kind: "put" }>): bigint =>
  new DataView(value.buffer, value.byteOffset, value.byteLength).getBigUint64(4)
