import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import type { Stage } from "../stage.ts"
import { plain } from "../table.ts"

export function addUserList(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("list")
    .description("Print all users, one a line.")
    .option("--json", "print them as one line of JSON")
  withConnection(command).action(async (options: ConnectionOptions & { readonly json?: true }) => {
    const client = await connect(options, terminal)
    const answer = await client.call("listUsers", {})
    if (options.json) terminal.print(JSON.stringify(answer))
    else for (const name of answer.users) terminal.print(plain(name))
  })
}
