import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import type { Stage } from "../stage.ts"

export function addDrain(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("drain")
    .description("Hand over everything this node holds, take no new work, and say when it is safe to stop.")
    .option("--json", "print the outcome as one line of JSON")
  withConnection(command).action(async (options: ConnectionOptions & { readonly json?: true }) => {
    const client = await connect(options, terminal)
    const begin = performance.now()
    terminal.remark("draining: calls being set up finish, records move to other nodes …")
    while ((await client.call("drain", {})).state !== "drained") terminal.remark("still draining …")
    const seconds = Number(((performance.now() - begin) / 1_000).toFixed(1))
    if (options.json) terminal.print(JSON.stringify({ state: "drained", seconds }))
    else terminal.print(`drained in ${seconds} s: it is safe to stop this node now`)
  })
}
