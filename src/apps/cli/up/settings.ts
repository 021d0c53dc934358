import { readFile } from "node:fs/promises"
import type { UpOptions } from "../../daemon/options.ts"
import { UsageError } from "../outcome.ts"
import { FLAGS, keyOf, variableOf } from "./flags.ts"
import { UpSettings } from "./schema.ts"
import { readSettingsFile, type SettingsFile } from "./settings-file.ts"

const DEFAULT_FILE = "carillon.yaml"

/** A setting's value and where it stands, for an error. */
interface Given {
  readonly value: unknown
  readonly place: string
}

/**
 * The options of `up`: command line before environment before file before defaults. `commandLine`
 * is what commander read, by `keyOf` the flags' names, and `config`. Throws UsageError.
 */
export async function readUpOptions(
  commandLine: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<UpOptions> {
  const file = await openFile(commandLine["config"] ?? environment["CARILLON_CONFIG"])
  const given = new Map<string, Given>()
  for (const { name } of FLAGS) {
    const found = find(name, commandLine, environment, file)
    if (found !== undefined) given.set(keyOf(name), found)
  }
  const values = Object.fromEntries([...given].map(([key, { value }]) => [key, value]))
  const read = UpSettings.safeParse(values)
  if (!read.success) {
    const [issue] = read.error.issues
    throw badSetting(String(issue!.path[0]), given, issue!.message)
  }
  const { user, ...settings } = read.data
  return checkTogether({ ...ABSENT, ...settings, users: user })
}

/** The schema leaves out what was not given; the options say so. */
const ABSENT = {
  domain: undefined,
  join: undefined,
  advertise: undefined,
  httpHost: undefined,
  nameServers: undefined,
  roles: undefined,
  enrolmentNodes: undefined,
  certificateLife: undefined,
  clockBound: undefined,
  site: undefined,
  rack: undefined,
  tlsCert: undefined,
  tlsKey: undefined,
  keyLog: undefined,
} as const

function find(
  name: string,
  commandLine: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  file: SettingsFile | undefined,
): Given | undefined {
  const option = commandLine[keyOf(name)]
  if (option !== undefined) return { value: option, place: `--${name}` }
  const variable = environment[variableOf(name)]
  if (variable !== undefined && variable !== "") return { value: variable, place: variableOf(name) }
  const entry = file?.entries.get(name)
  return entry === undefined
    ? undefined
    : { value: entry.value, place: `${file!.path} line ${entry.line}, ${name}` }
}

function badSetting(key: string, given: ReadonlyMap<string, Given>, problem: string): UsageError {
  const flag = FLAGS.find(({ name }) => keyOf(name) === key)!
  const { value, place } = given.get(key)!
  const shown = flag.secret === true ? "what is given" : JSON.stringify(value)
  return new UsageError(`${place}: ${shown} ${problem}`)
}

function checkTogether(options: UpOptions): UpOptions {
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
    const [has, lacks] = options.tlsCert === undefined ? ["tls-key", "tls-cert"] : ["tls-cert", "tls-key"]
    throw new UsageError(`--${has} is given without --${lacks}; a certificate and its key go together`)
  }
  checkPorts(options)
  return options
}

/** Else the second of two takes the first for another program. */
function checkPorts(options: UpOptions): void {
  const taken = new Map<number, string>()
  for (const name of ["sip", "sips", "reload", "http"] as const) {
    const port = options[`${name}Port`]
    const first = taken.get(port)
    if (port !== 0 && first !== undefined)
      throw new UsageError(`--${name}-port: ${port} is --${first}-port already; give each a port of its own`)
    taken.set(port, name)
  }
}

async function openFile(named: unknown): Promise<SettingsFile | undefined> {
  const path = typeof named === "string" ? named : DEFAULT_FILE
  try {
    return readSettingsFile(path, await readFile(path, "utf8"))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "ENOENT" && typeof named !== "string") return undefined
    if (code === undefined || error instanceof UsageError) throw error
    throw new UsageError(`the settings file ${path} cannot be read (${code}); correct --config`, {
      cause: error,
    })
  }
}
