import { randomBytes } from "node:crypto"
import { createInterface } from "node:readline/promises"
import { passwordProblem, userNameProblem } from "../control/user-name.ts"
import { UsageError } from "./outcome.ts"
import type { Terminal } from "./terminal.ts"

/** Throws UsageError for what cannot name a user; the node judges the domain. */
export function checkName(name: string): void {
  const problem = userNameProblem(name)
  if (problem !== undefined) throw new UsageError(`"${name}" ${problem}`)
}

/** The password given, the one on standard input for `-`, or a made-up one of 96 random bits. */
export async function choosePassword(
  given: string | undefined,
): Promise<{ readonly password: string; readonly generated: boolean }> {
  if (given === undefined) return { password: randomBytes(12).toString("base64url"), generated: true }
  const password = given === "-" ? await firstLine() : given
  const problem = passwordProblem(password)
  if (problem !== undefined) throw new UsageError(`the password ${problem}; choose another one`)
  return { password, generated: false }
}

const PASSPHRASE_LENGTH = 12

/** The passphrase given, the one on standard input for `-`, or that of the environment. Throws UsageError. */
export async function readPassphrase(
  given: string | undefined,
  { environment }: Pick<Terminal, "environment">,
): Promise<string> {
  const passphrase = given === "-" ? await firstLine() : (given ?? environment["CARILLON_PASSPHRASE"])
  if (passphrase === undefined)
    throw new UsageError("a backup needs a passphrase: give --passphrase, or - for standard input")
  if (passphrase.length >= PASSPHRASE_LENGTH) return passphrase
  throw new UsageError(
    `a passphrase of ${passphrase.length} characters is too easily guessed; give at least ${PASSPHRASE_LENGTH}`,
  )
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return line
    return ""
  } finally {
    lines.close()
  }
}
