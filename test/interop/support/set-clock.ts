import { globSync, renameSync, writeFileSync } from "node:fs"
import { missing } from "./programs.ts"

const [LIBRARY] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1")

/** Why a program's clock cannot be set here; false where it can. */
export const cannotSetClock: string | false =
  LIBRARY === undefined ? missing("faketime") || "faketime has no libfaketimeMT" : false

/** A clock that programs are started under: the system's, but set forwards or back, while they run if need be. */
export class SetClock {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
    this.set(0)
  }

  /** From now on it is ahead by so many seconds; negative: behind. */
  set(seconds: number): void {
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`)
    renameSync(`${this.#file}.new`, this.#file)
  }

  /** What a command line begins with. The monotonic clock goes on as it does when a clock is set. */
  get within(): readonly string[] {
    return [
      "env",
      `LD_PRELOAD=${LIBRARY}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#file}`,
      "FAKETIME_NO_CACHE=1",
      "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
  }
}
