import type { Command } from "commander"
import { DEFAULT_DATA } from "../connection.ts"
import { readPassphrase } from "../credentials.ts"
import type { Stage } from "../stage.ts"
import { counted } from "../table.ts"

interface RestoreOptions {
  readonly data?: string
  readonly passphrase?: string
  readonly json?: true
}

export function addRestore(parent: Command, { terminal }: Stage): void {
  parent
    .command("restore <file>")
    .description("Make an empty data directory that of a new node with all that a backup holds.")
    .option("--data <dir>", `the directory (CARILLON_DATA; default ${DEFAULT_DATA})`)
    .option("--passphrase <text>", '"-" reads one line from standard input (CARILLON_PASSPHRASE)')
    .option("--json", "print overlay, Node-ID and number of values as one line of JSON")
    .action(async (file: string, options: RestoreOptions) => {
      const passphrase = await readPassphrase(options.passphrase, terminal)
      const data = options.data ?? terminal.environment["CARILLON_DATA"] ?? DEFAULT_DATA
      const { restoreFrom } = await import("../../daemon/backup.ts")
      const restored = await restoreFrom(file, data, passphrase)
      if (options.json) terminal.print(JSON.stringify({ data, ...restored }))
      else
        terminal.print(
          `${data} is a new node of ${restored.overlay} with ${counted(restored.values, "value")}; start it: carillon up --data ${data}`,
        )
    })
}
