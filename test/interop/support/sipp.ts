import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Program } from "./programs.ts"

export interface SippRun {
  readonly successful: number
  readonly failed: number
  readonly retransmissions: number
  readonly code: number
  readonly output: string
  /** What it wrote of messages that it did not expect, from the beginning. */
  readonly complaints: string
}

/** Starts SIPp with a scenario; `values` become the lines of its injection file. */
export function startSipp(
  directory: string,
  name: string,
  scenario: string,
  args: readonly string[],
  values?: readonly string[],
): { readonly program: Program; finished(): Promise<SippRun> } {
  const file = join(directory, `${name}.xml`)
  writeFileSync(file, scenario)
  const errors = join(directory, `${name}.errors`)
  const injection = join(directory, `${name}.csv`)
  if (values) writeFileSync(injection, `SEQUENTIAL\n${values.join("\n")}\n`)
  const program = new Program(`sipp ${name}`, "sipp", [
    ...["-sf", file, "-nostdin", "-trace_err", "-error_file", errors],
    ...(values ? ["-inf", injection] : []),
    ...["-timeout", "120s", "-timeout_error", "-buff_size", "4194304", ...args],
  ])
  return {
    program,
    async finished() {
      const code = await program.exited
      const complaints = existsSync(errors) ? readFileSync(errors, "utf8").slice(0, 3_000) : ""
      const number = (label: RegExp) => Number(program.output.match(label)?.[1] ?? 0)
      return {
        successful: last(program.output, /Successful call\s*\|\s*\d+\s*\|\s*(\d+)/g),
        failed: last(program.output, /Failed call\s*\|\s*\d+\s*\|\s*(\d+)/g),
        retransmissions: number(/Retransmissions\s*\|\s*(\d+)/),
        code,
        output: `${program.output.slice(-3_000)}\n${complaints}`,
        complaints,
      }
    },
  }
}

const last = (text: string, pattern: RegExp): number => Number([...text.matchAll(pattern)].at(-1)?.[1] ?? 0)
