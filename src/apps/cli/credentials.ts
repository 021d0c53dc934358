import { randomBytes } from "node:crypto"
import { createInterface } from "node:readline/promises"
import { passwordProblem, userNameProblem } from "../control/user-name.ts"
import { UsageError } from "./outcome.ts"

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

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return line
    return ""
  } finally {
    lines.close()
  }
}
