import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { checkName, choosePassword } from "../credentials.ts"
import type { Stage } from "../stage.ts"

interface PasswdOptions extends ConnectionOptions {
  readonly password?: string
  readonly json?: true
}

export function addUserPasswd(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("passwd")
    .description("Change a user's password. Without --password one is made up and printed, this once.")
    .argument("<name>", "the user")
    .option("--password <text>", 'the new password; "-" reads one line from standard input')
    .option("--json", "print name and made-up password as one line of JSON")
  withConnection(command).action(async (name: string, options: PasswdOptions) => {
    checkName(name)
    const { password, generated } = await choosePassword(options.password)
    const client = await connect(options, terminal)
    await client.call("changePassword", { name, password })
    if (options.json) terminal.print(JSON.stringify(generated ? { name, password } : { name }))
    else
      terminal.print(generated ? `${name} now has the password ${password}` : `${name} has the new password`)
  })
}
