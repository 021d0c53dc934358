import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { checkName, choosePassword } from "../credentials.ts"
import type { Stage } from "../stage.ts"

interface AddOptions extends ConnectionOptions {
  readonly password?: string
  readonly json?: true
}

export function addUserAdd(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("add")
    .description("Add a user. Without --password one is made up and printed, this once.")
    .argument("<name>", "user part of the SIP address, such as alice or 1001")
    .option("--password <text>", 'the password; "-" reads one line from standard input')
    .option("--json", "print name and made-up password as one line of JSON")
  withConnection(command).action(async (name: string, options: AddOptions) => {
    checkName(name)
    const { password, generated } = await choosePassword(options.password)
    const client = await connect(options, terminal)
    await client.call("putUsers", { users: [{ name, password }], mode: "add" })
    if (options.json) terminal.print(JSON.stringify(generated ? { name, password } : { name }))
    else terminal.print(generated ? `${name} added, password ${password}` : `${name} added`)
  })
}
