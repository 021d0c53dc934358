import { type Command, Option } from "commander"
import type { Daemon } from "../../daemon/daemon.ts"
import type { UpOptions } from "../../daemon/options.ts"
import { ExitCode } from "../outcome.ts"
import type { Stage } from "../stage.ts"
import type { Terminal } from "../terminal.ts"
import { FLAG_GROUPS } from "../up/flags.ts"
import { describeDaemon, factsOf } from "../up/greeting.ts"

/** SIGTERM drains, at most so long. */
const DRAIN_AT_MOST = 10_000

/** After so long a person wonders what it is waiting for. */
const JOINING_SURPRISES = 5_000

const NOTES = `
Every option is also a variable CARILLON_<NAME> (CARILLON_SIP_PORT) and a key of carillon.yaml (sip-port);
the command line comes before the environment, the environment before the file.

SIGTERM or Ctrl-C hands over, for at most 10 s, and stops; a second one stops at once.`

export function addUp(parent: Command, stage: Stage): void {
  const command = parent
    .command("up")
    .description("Run a node: a new fabric, one more node of a fabric (--join), or one that comes back.")
    .addHelpText("after", NOTES)
  for (const { title, flags } of FLAG_GROUPS) {
    command.optionsGroup(title)
    for (const { name, value, help, repeats } of flags) {
      const option = new Option(`--${name} ${value}`, help)
      command.addOption(repeats === true ? option.argParser(collect) : option)
    }
  }
  command
    .optionsGroup("Other:")
    .option("--config <file>", "settings file (default: carillon.yaml, where there is one)")
    .option("--accept-loss", "start though this node has lost its records and no other node has copies")
    .option("--json", "once ready, print the facts as one line of JSON")
    .action(async (options: Readonly<Record<string, unknown>>) => {
      stage.finish(await up(options, stage))
    })
}

const collect = (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]

/** Runs until a signal ends it. */
async function up(commandLine: Readonly<Record<string, unknown>>, stage: Stage): Promise<ExitCode> {
  const { readUpOptions } = await import("../up/settings.ts")
  const read = await readUpOptions(commandLine, stage.terminal.environment)
  // On the command line only: what stands in a file for ever is nobody's decision any more.
  const options = { ...read, acceptLoss: commandLine["acceptLoss"] === true }
  const { startDaemon } = await import("../../daemon/daemon.ts")
  const daemon = await startDaemon(options, stage.version)
  try {
    return await attend(daemon, options, stage, commandLine["json"] === true)
  } catch (error) {
    await daemon.stop()
    throw error
  }
}

/** Tells the operator what goes on, from open ports to the end. */
async function attend(
  daemon: Daemon,
  options: UpOptions,
  { terminal, version }: Stage,
  isJson: boolean,
): Promise<ExitCode> {
  const ended = untilSignal(daemon, terminal)
  for (const note of daemon.notes) terminal.remark(`note: ${note}`)
  const invite = await inviteFrom(daemon)
  const greeting = isJson ? [] : describeDaemon(daemon, version, options.data, secondNode(invite))
  for (const line of greeting) terminal.print(line)
  const patience = setTimeout(() => {
    const waiting = "waiting for other nodes of the fabric; the log says which do not answer"
    terminal.remark(`still joining: ${daemon.obstacle() ?? waiting}`)
  }, JOINING_SURPRISES)
  const failed = daemon.ready.then(async () => {
    clearTimeout(patience)
    await daemon.putUsers(options.users).catch((error: Error) => {
      terminal.remark(`carillon: --user: ${error.message}`)
    })
    const seconds = Number(process.uptime().toFixed(1))
    terminal.print(
      isJson ? JSON.stringify(factsOf(daemon, version, invite, seconds)) : `ready in ${seconds} s`,
    )
    return ended
  })
  return Promise.race([ended, failed]).finally(() => clearTimeout(patience))
}

/** An invite, or why there is none. */
type InviteOutcome = { readonly invite: string } | { readonly cause: string }

async function inviteFrom(daemon: Daemon): Promise<InviteOutcome> {
  try {
    return { invite: await daemon.invite() }
  } catch (error) {
    return { cause: (error as Error).message }
  }
}

const secondNode = (outcome: InviteOutcome): string =>
  "invite" in outcome ? `carillon up --join ${outcome.invite}` : `none from here: ${outcome.cause}`

/** The first signal drains and stops, the second stops at once. */
function untilSignal(daemon: Daemon, terminal: Terminal): Promise<ExitCode> {
  const { promise, resolve, reject } = Promise.withResolvers<ExitCode>()
  let isStopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (isStopping) {
      terminal.remark(`${signal} again: stopping at once`)
      process.exit(ExitCode.negative)
    }
    isStopping = true
    terminal.remark(`${signal}: handing over, at most ${DRAIN_AT_MOST / 1_000} s; once more stops at once`)
    const isDrained = await daemon.drainAndStop(DRAIN_AT_MOST)
    terminal.remark(
      isDrained ? "handed over and stopped" : "stopped before all was handed over; other nodes have copies",
    )
    resolve(ExitCode.ok)
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => void stop(signal).catch(reject))
  return promise
}
