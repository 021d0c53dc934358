import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Command } from "commander"
import type { ControlClient } from "../control/client.ts"
import { CommandError, UsageError } from "./outcome.ts"
import type { Terminal } from "./terminal.ts"

export const DEFAULT_DATA = "./carillon-data"
export const DEFAULT_HTTP = "http://127.0.0.1:8080"

/** The options of every command that speaks to a running node. */
export interface ConnectionOptions {
  readonly http?: string
  readonly token?: string
  readonly data?: string
}

export const withConnection = (command: Command): Command =>
  command
    .optionsGroup("The node to speak to:")
    .option("--http <url>", `its control address (CARILLON_HTTP; default ${DEFAULT_HTTP})`)
    .option("--token <text>", "its admin token (CARILLON_TOKEN; default: the file admin-token of --data)")
    .option("--data <dir>", `its data directory (CARILLON_DATA; default ${DEFAULT_DATA})`)

/** A client of the node that the options, or the environment, name. Nothing is sent yet. */
export async function connect(
  { http, token, data }: ConnectionOptions,
  { environment }: Terminal,
): Promise<ControlClient> {
  const base = readUrl(http ?? environment["CARILLON_HTTP"] ?? DEFAULT_HTTP)
  const directory = data ?? environment["CARILLON_DATA"] ?? DEFAULT_DATA
  const known = token ?? environment["CARILLON_TOKEN"] ?? (await readToken(directory))
  const { ControlClient } = await import("../control/client.ts")
  return new ControlClient(base, known)
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === "http:" || url?.protocol === "https:") return url
  throw new UsageError(`"${text}" is no address of a node; write it like ${DEFAULT_HTTP}`)
}

/** Undefined where there is none: the node says then whether it needs one. */
async function readToken(data: string): Promise<string | undefined> {
  const path = join(data, "admin-token")
  try {
    return (await readFile(path, "utf8")).trim()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ENOTDIR") return undefined
    throw new CommandError(
      `the admin token in ${path} cannot be read (${code ?? message}); run this as the user that runs the node, or give --token`,
      { cause: error },
    )
  }
}
