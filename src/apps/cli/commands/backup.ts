import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { readPassphrase } from "../credentials.ts"
import type { Stage } from "../stage.ts"
import { counted } from "../table.ts"

interface BackupOptions extends ConnectionOptions {
  readonly passphrase?: string
  readonly json?: true
}

export function addBackup(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("backup <file>")
    .description("Write all that the fabric needs to rise again to a file, sealed with a passphrase.")
    .option("--passphrase <text>", '"-" reads one line from standard input (CARILLON_PASSPHRASE)')
    .option("--json", "print what is in it as one line of JSON")
  withConnection(command).action(async (file: string, options: BackupOptions) => {
    const passphrase = await readPassphrase(options.passphrase, terminal)
    const client = await connect(options, terminal)
    const { backup, ...facts } = await client.call("backup", { passphrase })
    const { writeBackup } = await import("../../daemon/backup.ts")
    await writeBackup(file, backup)
    if (options.json) terminal.print(JSON.stringify({ file, ...facts }))
    else
      terminal.print(
        `${file} has the CA, the configuration, the fabric keys and ${counted(facts.values, "value")} of ${counted(facts.nodes, "node")} of ${facts.overlay}; without the passphrase nobody opens it`,
      )
    for (const address of facts.missing)
      terminal.remark(`carillon: ${address} did not give its records: what it alone has is not in the backup`)
  })
}
