import type { Command } from "commander"
import type { StatusReport } from "../../control/schemas.ts"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import type { Stage } from "../stage.ts"

/** Of nodes that hold the CA, as status names it. */
const ENROLMENT = "enrolment"

/** What the others are left without; undefined where another living node holds the CA, or nobody is left. */
export function lastAuthority({ node, nodes }: Pick<StatusReport, "node" | "nodes">): string | undefined {
  const holders = nodes.filter(({ roles }) => roles.includes(ENROLMENT))
  if (nodes.length < 2 || holders.length !== 1 || holders[0]!.node !== node) return undefined
  return (
    "of the nodes that live this one alone holds the CA: while it is stopped no node can join, and no certificate is renewed. " +
    "Where it is to go for good, wait until `carillon status` shows another node in role enrolment, or make a backup first"
  )
}

/** Where nobody is seen who could take what it holds, it stays here. Undefined where there is somebody, or nothing. */
export function heldHereAlone({
  nodes,
  records,
}: Pick<StatusReport, "nodes" | "records">): string | undefined {
  if (nodes.length > 1 || records.held === 0) return undefined
  return (
    `no other node is seen, so that ${records.held} records stay on this node alone: keep its data directory. ` +
    "Where other nodes live, it is cut off from them: wait until `carillon status` shows them, and drain then"
  )
}

export function addDrain(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("drain")
    .description("Hand over everything this node holds, take no new work, and say when it is safe to stop.")
    .option("--json", "print the outcome as one line of JSON")
  withConnection(command).action(async (options: ConnectionOptions & { readonly json?: true }) => {
    const client = await connect(options, terminal)
    const status = await client.call("status", {})
    const [warning, alone] = [lastAuthority(status), heldHereAlone(status)]
    for (const note of [warning, alone]) if (note !== undefined) terminal.remark(`note: ${note}`)
    const begin = performance.now()
    terminal.remark("draining: calls being set up finish, records move to other nodes …")
    while ((await client.call("drain", {})).state !== "drained") terminal.remark("still draining …")
    const seconds = Number(((performance.now() - begin) / 1_000).toFixed(1))
    if (options.json)
      terminal.print(
        JSON.stringify({
          state: "drained",
          seconds,
          lastAuthority: warning !== undefined,
          heldHereAlone: alone !== undefined,
        }),
      )
    else {
      const left = alone === undefined ? "" : "; what it holds is nowhere else, so keep its data directory"
      terminal.print(`drained in ${seconds} s: it is safe to stop this node now${left}`)
    }
  })
}
