import { CarillonError } from "../../core/kit/errors.ts"

/** `negative`: it worked and the answer is no, or it failed. `unreachable`: no node answers. */
export const ExitCode = { ok: 0, negative: 1, usage: 2, unreachable: 3 } as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The command was written wrongly: what, why, what to write. */
export class UsageError extends CarillonError {
  readonly code = "usage"
}

/** What was asked could not be done: what, why, what to do. */
export class CommandError extends CarillonError {
  readonly code = "command"
}
