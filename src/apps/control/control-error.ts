import { CarillonError } from "../../core/kit/errors.ts"

export interface FieldProblem {
  readonly field: string
  readonly problem: string
}

/** The control API's answer where it is not what was asked for: `code` for programs, the message for people. */
export class ControlError extends CarillonError {
  readonly code: string
  /** HTTP status. */
  readonly status: number
  readonly fields: readonly FieldProblem[]

  constructor(status: number, code: string, message: string, fields: readonly FieldProblem[] = []) {
    super(message)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

/** No Carillon answers at that address. */
export class UnreachableError extends CarillonError {
  readonly code = "unreachable"
}
