import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { checkName } from "../credentials.ts"
import type { Stage } from "../stage.ts"

export function addUserRemove(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("remove")
    .description("Remove a user and whatever is registered for it.")
    .argument("<name>", "the user")
    .option("--json", "print the name as one line of JSON")
  withConnection(command).action(
    async (name: string, options: ConnectionOptions & { readonly json?: true }) => {
      checkName(name)
      const client = await connect(options, terminal)
      const removed = await client.call("removeUser", { name })
      terminal.print(options.json ? JSON.stringify(removed) : `${removed.name} removed`)
    },
  )
}
