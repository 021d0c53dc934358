import { type Command, Option } from "commander"
import type { Daemon } from "../../daemon/daemon.ts"
import { ExitCode } from "../outcome.ts"
import type { Stage } from "../stage.ts"
import type { Terminal } from "../terminal.ts"
import { FLAG_GROUPS } from "../up/flags.ts"
import { describeDaemon } from "../up/greeting.ts"

/** DESIGN §7: SIGTERM drains, at most so long. */
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
    .action(async (options: Readonly<Record<string, unknown>>) => {
      stage.finish(await up(options, stage))
    })
}

const collect = (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]

/** Runs until a signal ends it. */
async function up(
  commandLine: Readonly<Record<string, unknown>>,
  { terminal, version }: Stage,
): Promise<ExitCode> {
  const begin = performance.now() - process.uptime() * 1_000
  const elapsed = () => ((performance.now() - begin) / 1_000).toFixed(1)
  const { readUpOptions } = await import("../up/settings.ts")
  const options = await readUpOptions(commandLine, terminal.environment)
  const { startDaemon } = await import("../../daemon/daemon.ts")
  const daemon = await startDaemon(options, version)
  const ended = untilSignal(daemon, terminal)
  for (const note of daemon.notes) terminal.remark(`note: ${note}`)
  for (const line of describeDaemon(daemon, version, await secondNode(daemon))) terminal.print(line)
  const patience = setTimeout(() => {
    terminal.remark("still joining: waiting for other nodes of the fabric; the log says which do not answer")
  }, JOINING_SURPRISES)
  void daemon.ready.then(async () => {
    clearTimeout(patience)
    await daemon.putUsers(options.users).catch((error: Error) => {
      terminal.remark(`carillon: --user: ${error.message}`)
    })
    terminal.print(`ready in ${elapsed()} s`)
  })
  const code = await ended
  clearTimeout(patience)
  return code
}

async function secondNode(daemon: Daemon): Promise<string> {
  try {
    return `carillon up --join ${await daemon.invite()}`
  } catch (error) {
    return `none from here: ${(error as Error).message}`
  }
}

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
