import type { Command } from "commander"
import type { StatusReport } from "../../control/schemas.ts"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import type { Stage } from "../stage.ts"
import { counted, plain, shortId, span, table } from "../table.ts"

export function addStatus(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("status")
    .description("Show the fabric: nodes for each role, how many more may die, records, calls, health.")
    .option("--json", "print the facts as one line of JSON")
  withConnection(command).action(async (options: ConnectionOptions & { readonly json?: true }) => {
    const client = await connect(options, terminal)
    const status = await client.call("status", {})
    if (options.json) terminal.print(JSON.stringify(status))
    else for (const line of describeStatus(status)) terminal.print(line)
  })
}

/** Where clocks lie so far apart, an operator is to know. */
const FAR_APART = 2_000

const clockOf = ({ clocks }: StatusReport, node: string): string => {
  const ahead = clocks.find((each) => each.node === node)?.ahead
  return ahead === undefined ? "unknown" : `${ahead > 0 ? "+" : ""}${inUnits(ahead)}`
}

const inUnits = (milliseconds: number): string =>
  Math.abs(milliseconds) < 1_000 ? `${milliseconds} ms` : `${(milliseconds / 1_000).toFixed(1)} s`

/** Nothing where all that have told run the same. */
function versionFact({ nodes }: StatusReport): readonly (readonly string[])[] {
  const counts = new Map<string, number>()
  for (const { version = "unknown" } of nodes) counts.set(version, (counts.get(version) ?? 0) + 1)
  const known = [...counts].filter(([version]) => version !== "unknown")
  if (known.length < 2) return []
  const each = [...counts].sort().map(([version, count]) => `${version} on ${counted(count, "node")}`)
  return [["versions", `nodes run different versions: ${each.join(", ")}`]]
}

/** Nothing where all clocks agree. */
function clockFacts({ clocks, clockStep }: StatusReport): readonly (readonly string[])[] {
  const far = clocks
    .filter(({ ahead }) => Math.abs(ahead) >= FAR_APART)
    .map(
      ({ node, ahead }) =>
        `${shortId(node)} ${ahead > 0 ? "ahead" : "behind"} by ${inUnits(Math.abs(ahead))}`,
    )
  const facts: string[][] = []
  if (far.length > 0) facts.push(["clocks", `apart from this node's: ${far.join(", ")}; set them by NTP`])
  if (clockStep !== undefined)
    facts.push([
      "own clock",
      `the system's is ${inUnits(Math.abs(clockStep))} ${clockStep > 0 ? "ahead of" : "behind"} the one this node goes by; where the system's is right, start the node again`,
    ])
  return facts
}

const STATES = {
  fetching: "its records come from the other nodes",
  fetched: "its records have come from the other nodes",
  accepted: "this node goes on without what was in it",
  "written-anew": "this node knew all that was in it, and has written it anew",
} as const

function describeStore({ at, problem, aside, state }: NonNullable<StatusReport["store"]>): string {
  const kept = aside === undefined ? "" : `, set aside as ${aside}`
  return `${problem} at ${new Date(at).toISOString()}${kept}; ${STATES[state]}`
}

/** The facts for a person: the figure to watch first. */
export function describeStatus(status: StatusReport): readonly string[] {
  const { health, records, sip } = status
  const roles = Object.entries(status.roleCounts)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([role, nodes]) => `${role} ${nodes}`)
  const more = status.mayDie === 0 ? "none may die" : `${status.mayDie} more may die`
  const facts = [
    [
      "health",
      "cause" in health && health.cause !== undefined ? `${health.state}: ${health.cause}` : health.state,
    ],
    ["nodes", `${status.nodes.length} living, ${more} without losing a record`],
    ["roles", roles.join(", ") || "none"],
    [
      "records",
      `${records.held} held here, ${records.due} due here${records.extra === 0 ? "" : ` (${records.extra} for another site or rack)`}, ${records.short} short of a copy, ${records.repairing} being repaired`,
    ],
    ["calls", `${sip.pendingInvites} being set up, ${sip.answeredCalls} answered since the start`],
    ["phones", `${counted(sip.registrations, "registration")} with this node as edge`],
    [
      "this node",
      `${shortId(status.node)} at ${status.advertised}, version ${status.version}, up ${span(status.uptimeSeconds)}`,
    ],
    ...versionFact(status),
    ...clockFacts(status),
    ...(status.store === undefined ? [] : [["record store", describeStore(status.store)]]),
    ...(status.udp === undefined ? [] : [["SIP over UDP", status.udp]]),
    [
      "certificate",
      `${counted(status.certificateDaysLeft, "day")} left; configuration ${status.configurationDaysLeft}, CA ${status.authorityDaysLeft}`,
    ],
  ]
  const isPlaced = status.nodes.some(({ site, rack }) => site !== undefined || rack !== undefined)
  const nodes = status.nodes.map(({ node, address, roles, site, rack, version, self }) => [
    shortId(node),
    address,
    roles.join(","),
    ...(isPlaced ? [[site ?? "–", ...(rack === undefined ? [] : [rack])].join("/")] : []),
    version ?? "unknown",
    self ? "" : clockOf(status, node),
    self ? "this node" : "",
  ])
  return [
    `fabric ${status.overlay}, SIP domain ${status.domain}`,
    ...table(facts),
    "",
    ...table([
      ["NODE", "ADDRESS", "ROLES", ...(isPlaced ? ["SITE/RACK"] : []), "VERSION", "CLOCK"],
      ...nodes,
    ]),
  ].map(plain)
}
