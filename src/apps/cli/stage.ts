import type { ExitCode } from "./outcome.ts"
import type { Terminal } from "./terminal.ts"

/** What every command is given besides its own arguments. */
export interface Stage {
  readonly terminal: Terminal
  readonly version: string
  /** Sets the exit code; without it, 0. */
  finish(code: ExitCode): void
}
