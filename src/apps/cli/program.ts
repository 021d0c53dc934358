import { readFileSync } from "node:fs"
import { Command, CommanderError } from "commander"
import { CarillonError, InvariantError } from "../../core/kit/errors.ts"
import { addBackup } from "./commands/backup.ts"
import { addDrain } from "./commands/drain.ts"
import { addInvite } from "./commands/invite.ts"
import { addLookup } from "./commands/lookup.ts"
import { addNodeRevoke } from "./commands/node-revoke.ts"
import { addRestore } from "./commands/restore.ts"
import { addSim } from "./commands/sim.ts"
import { addStatus } from "./commands/status.ts"
import { addUp } from "./commands/up.ts"
import { addUserAdd } from "./commands/user-add.ts"
import { addUserImport } from "./commands/user-import.ts"
import { addUserList } from "./commands/user-list.ts"
import { addUserPasswd } from "./commands/user-passwd.ts"
import { addUserRemove } from "./commands/user-remove.ts"
import { ExitCode } from "./outcome.ts"
import type { Stage } from "./stage.ts"
import type { Terminal } from "./terminal.ts"

const GUIDE = `
A telephone system in two lines:
  carillon up --domain example.org --user alice:secret     the first node; it prints the line for the second
  carillon up --join INVITE                                on another machine

Exit codes: 0 done, 1 not done or the answer is no, 2 wrong usage, 3 no node answers.`

/** Carries out one command line, and answers the exit code. Failures end as one sentence on standard error. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = ExitCode.ok
  const stage: Stage = {
    terminal,
    version: packageVersion(),
    finish(result) {
      code = result
    },
  }
  try {
    await createProgram(stage).parseAsync(args, { from: "user" })
    return code
  } catch (error) {
    return explain(error, terminal)
  }
}

function createProgram(stage: Stage): Command {
  const { terminal, version } = stage
  const program = new Command("carillon")
    .description("A telephone system without a centre: SIP on a RELOAD fabric.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "explain a command")
    .addHelpText("after", GUIDE)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.remark(text.trimEnd()),
      outputError: (text, write) =>
        write(
          text.replace(/^error: /, "carillon: ").replace(/\n\(Did you mean (.+)\?\)/s, "; did you mean $1?"),
        ),
    })
  addUp(program, stage)
  addInvite(program, stage)
  const user = program.command("user").description("The users of the fabric, who own phones.")
  addUserAdd(user, stage)
  addUserImport(user, stage)
  addUserList(user, stage)
  addUserPasswd(user, stage)
  addUserRemove(user, stage)
  const node = program.command("node").description("The nodes of the fabric.")
  addNodeRevoke(node, stage)
  addStatus(program, stage)
  addLookup(program, stage)
  addDrain(program, stage)
  addBackup(program, stage)
  addRestore(program, stage)
  addSim(program, stage)
  return program
}

function explain(error: unknown, terminal: Terminal): ExitCode {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
  if (error instanceof InvariantError || !(error instanceof Error)) throw error
  terminal.remark(`carillon: ${error.message.replaceAll(/\s*\n\s*/g, " ")}`)
  if (!(error instanceof CarillonError)) return ExitCode.negative
  if (/unreachable|busy$/.test(error.code)) return ExitCode.unreachable
  return error.code === "usage" ? ExitCode.usage : ExitCode.negative
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8")
  return (JSON.parse(text) as { readonly version: string }).version
}
