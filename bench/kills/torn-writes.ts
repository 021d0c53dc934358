import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs"
import type { Random } from "../../src/core/kit/random.ts"

// What a loss of power does to files beyond what SIGKILL does: what a program has written is in the kernel's memory until
// it calls fsync, and gone with it. Which bytes those are, strace has seen.

/** What a disk writes whole or not at all. */
const SECTOR = 512

/** Bytes of a file, `end` excluded. */
export interface Range {
  readonly file: string
  readonly start: number
  readonly end: number
}

/**
 * The command that runs another and notes what becomes of these files in `log`. The program stays a child of whoever
 * starts it, so that it can be killed; when its pipes close the log is complete.
 */
export const watching = (log: string, files: readonly string[]): readonly string[] => [
  ...["strace", "-D", "-f", "-y", "-q", "--seccomp-bpf", "-e", "signal=none", "-o", log],
  ...["-e", "trace=pwrite64,fsync,fdatasync"],
  ...files.flatMap((file) => ["-P", file]),
]

const CALL = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$/
/** At the end of a line; the second form where the thread dies in the call. */
const UNFINISHED = / *<unfinished \.\.\.>(\) += \?)?$/
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)$/

/** A call as one thread has begun it: strace tells the end on another line where other threads had a word in between. */
interface Begun {
  readonly name: string
  readonly file: string
  readonly text: string
}

/** The bytes that had been written when the program died, and not been put on disk by an fsync that came back. */
export function unsynced(log: string): readonly Range[] {
  const open = new Map<string, Begun>()
  const ranges = new Map<string, readonly Range[]>()
  const settle = ({ name, file, text }: Begun) => {
    const isSynced = name !== "pwrite64" && /= 0$/.test(text)
    const [, length, offset] = name === "pwrite64" ? (/, (\d+), (\d+)(?:\) += \d+)?$/.exec(text) ?? []) : []
    if (isSynced) ranges.delete(file)
    if (length === undefined || offset === undefined) return
    const start = Number(offset)
    ranges.set(file, [...(ranges.get(file) ?? []), { file, start, end: start + Number(length) }])
  }
  for (const line of log.split("\n")) {
    const [, resumed, , rest] = RESUMED.exec(line) ?? []
    const begun = open.get(resumed ?? "")
    if (resumed !== undefined && begun !== undefined) {
      open.delete(resumed)
      settle({ ...begun, text: begun.text + rest! })
    }
    const [, thread, name, file, text] = CALL.exec(line) ?? []
    if (thread === undefined) continue
    const cutOff = UNFINISHED.exec(text!)
    if (cutOff === null) settle({ name: name!, file: file!, text: text! })
    else open.set(thread, { name: name!, file: file!, text: text!.slice(0, cutOff.index) })
  }
  // A write that was cut off by death may have left all of its bytes, some, or none.
  for (const call of open.values()) settle(call)
  return [...ranges.values()].flat()
}

/**
 * Loses power over a file: of the bytes that were not synced each sector is there, or holds garbage, or zeros, as it
 * falls; and the file may end anywhere in what it grew by. No other byte is touched. Says how many bytes have gone.
 */
export function tear(file: string, ranges: readonly Range[], random: Random): number {
  const descriptor = openSync(file, "r+")
  try {
    let gone = 0
    for (const { start, end } of ranges) {
      for (let at = start; at < end; ) {
        const stop = Math.min(end, (Math.floor(at / SECTOR) + 1) * SECTOR, fstatSync(descriptor).size)
        if (stop <= at) break
        const fate = random.next()
        if (fate >= 0.5) {
          writeSync(descriptor, bytesOf(stop - at, fate >= 0.75 ? random : undefined), 0, stop - at, at)
          gone += stop - at
        }
        at = stop
      }
    }
    return gone + cutTail(descriptor, ranges, random)
  } finally {
    closeSync(descriptor)
  }
}

/** Every other time: a file system may know of the bytes, and not yet that the file is longer. */
function cutTail(descriptor: number, ranges: readonly Range[], random: Random): number {
  const { size } = fstatSync(descriptor)
  const last = ranges.toSorted((a, b) => a.start - b.start)
  let grownFrom = size
  for (const { start, end } of last.toReversed()) if (end >= grownFrom) grownFrom = Math.min(grownFrom, start)
  if (grownFrom === size || random.next() < 0.5) return 0
  const length = grownFrom + Math.floor(random.next() * (size - grownFrom))
  ftruncateSync(descriptor, length)
  return size - length
}

const bytesOf = (length: number, random: Random | undefined): Uint8Array =>
  Uint8Array.from({ length }, () => (random === undefined ? 0 : Math.floor(random.next() * 256)))

/** Tears all files that a dead program has left, by what strace noted. Says how many bytes were at risk, and how many have gone. */
export function losePower(log: string, random: Random): { readonly unsynced: number; readonly gone: number } {
  const ranges = unsynced(readFileSync(log, "utf8"))
  let gone = 0
  for (const file of new Set(ranges.map((range) => range.file)))
    gone += tear(
      file,
      ranges.filter((range) => range.file === file),
      random,
    )
  return { unsynced: ranges.reduce((sum, { start, end }) => sum + end - start, 0), gone }
}
