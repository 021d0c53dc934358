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
    ["health", health.state === "unhealthy" ? `unhealthy: ${health.cause}` : health.state],
    ["nodes", `${status.nodes.length} living, ${more} without losing a record`],
    ["roles", roles.join(", ") || "none"],
    [
      "records",
      `${records.held} held here, ${records.due} due here, ${records.short} short of a copy, ${records.repairing} being repaired`,
    ],
    ["calls", `${sip.pendingInvites} being set up, ${sip.answeredCalls} answered since the start`],
    ["phones", `${counted(sip.registrations, "registration")} with this node as edge`],
    [
      "this node",
      `${shortId(status.node)} at ${status.advertised}, version ${status.version}, up ${span(status.uptimeSeconds)}`,
    ],
    ...(status.store === undefined ? [] : [["record store", describeStore(status.store)]]),
    ...(status.udp === undefined ? [] : [["SIP over UDP", status.udp]]),
    [
      "certificate",
      `${counted(status.certificateDaysLeft, "day")} left; configuration ${status.configurationDaysLeft}, CA ${status.authorityDaysLeft}`,
    ],
  ]
  const nodes = status.nodes.map(({ node, address, roles, self }) => [
    shortId(node),
    address,
    roles.join(","),
    self ? "this node" : "",
  ])
  return [
    `fabric ${status.overlay}, SIP domain ${status.domain}`,
    ...table(facts),
    "",
    ...table([["NODE", "ADDRESS", "ROLES"], ...nodes]),
  ].map(plain)
}
