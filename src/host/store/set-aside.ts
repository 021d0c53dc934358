import { closeSync, existsSync, fsyncSync, openSync, renameSync } from "node:fs"
import { dirname } from "node:path"

/** SQLite's own beside a database; `sqlite3` finds them by these names. */
const COMPANIONS = ["-wal", "-shm"]

/** What a database is called that was found damaged at that time. */
export const asideName = (file: string, at: number): string =>
  `${file}.damaged-${new Date(at).toISOString().replaceAll(":", "-")}`

/** Whether anything is left of a database. */
export const isThere = (file: string): boolean =>
  ["", ...COMPANIONS].some((suffix) => existsSync(file + suffix))

/** Renames a damaged database and what belongs to it, and says to what: nothing is ever deleted. */
export function setAside(file: string, at: number): string {
  const aside = asideName(file, at)
  for (const suffix of ["", ...COMPANIONS])
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
  const directory = openSync(dirname(file), "r")
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
  return aside
}
