import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { UsageError } from "../outcome.ts"
import type { Stage } from "../stage.ts"

interface InviteOptions extends ConnectionOptions {
  readonly node?: true
  readonly user?: string
  readonly roles?: string
  readonly uses: string
  readonly expires: string
  readonly json?: true
}

export function addInvite(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("invite")
    .description("Print an invite, one line of text that admits a node: carillon up --join INVITE")
    .option("--node", "for a node (default)")
    .option("--user <name>", "for a user's own device; comes with endpoint peers, not in this version")
    .option("--roles <role,…>", "roles the node may serve (default: those of a farm node)")
    .option("--uses <count>", "how many nodes it admits", "1")
    .option("--expires <time>", "how long it is good: 90s, 15m, 1h or 7d", "1h")
    .option("--json", "print invite, uses and end as one line of JSON")
  withConnection(command).action(async (options: InviteOptions) => {
    if (options.user !== undefined)
      throw new UsageError(
        'invites for users come with endpoint peers, which this version does not have; "carillon user add" makes an account for a phone',
      )
    const asked = {
      uses: readUses(options.uses),
      expiresSeconds: readSeconds(options.expires),
      ...(options.roles === undefined ? {} : { roles: options.roles.split(/[,\s]+/).filter(Boolean) }),
    }
    const client = await connect(options, terminal)
    const answer = await client.call("invite", asked)
    terminal.print(options.json ? JSON.stringify(answer) : answer.invite)
  })
}

function readUses(text: string): number {
  const uses = Number(text)
  if (Number.isInteger(uses) && uses >= 1 && uses <= 10_000) return uses
  throw new UsageError(`--uses: "${text}" is no number of nodes; give one from 1 to 10000`)
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }
const ONE_YEAR = 365 * 86_400

function readSeconds(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const seconds = digits === undefined ? 0 : Number(digits) * UNITS[unit!]!
  if (seconds >= 1 && seconds <= ONE_YEAR) return seconds
  throw new UsageError(`--expires: "${text}" is no time; write it like 90s, 15m, 1h or 7d, at most 365d`)
}
