/** What commands print to, read from, and learn from their surroundings. */
export interface Terminal {
  /** A line of facts: standard output. */
  print(line: string): void
  /** A line about how it goes, or went wrong: standard error. */
  remark(line: string): void
  /** Whether a person watches standard error. */
  readonly interactive: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
}

export const processTerminal = (): Terminal => ({
  print: (line) => void process.stdout.write(`${line}\n`),
  remark: (line) => void process.stderr.write(`${line}\n`),
  interactive: process.stderr.isTTY === true,
  environment: process.env,
})
