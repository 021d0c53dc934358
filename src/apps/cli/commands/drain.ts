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

export function addDrain(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("drain")
    .description("Hand over everything this node holds, take no new work, and say when it is safe to stop.")
    .option("--json", "print the outcome as one line of JSON")
  withConnection(command).action(async (options: ConnectionOptions & { readonly json?: true }) => {
    const client = await connect(options, terminal)
    const warning = lastAuthority(await client.call("status", {}))
    if (warning !== undefined) terminal.remark(`note: ${warning}`)
    const begin = performance.now()
    terminal.remark("draining: calls being set up finish, records move to other nodes …")
    while ((await client.call("drain", {})).state !== "drained") terminal.remark("still draining …")
    const seconds = Number(((performance.now() - begin) / 1_000).toFixed(1))
    if (options.json)
      terminal.print(JSON.stringify({ state: "drained", seconds, lastAuthority: warning !== undefined }))
    else terminal.print(`drained in ${seconds} s: it is safe to stop this node now`)
  })
}
