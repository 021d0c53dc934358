import type { Command } from "commander"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import type { Stage } from "../stage.ts"
import { shortId } from "../table.ts"

export function addNodeRevoke(parent: Command, { terminal }: Stage): void {
  const command = parent
    .command("revoke <node>")
    .description("Take a node's certificate back, for good: no other node hears it any longer.")
    .option("--json", "print the outcome as one line of JSON")
  withConnection(command).action(
    async (node: string, options: ConnectionOptions & { readonly json?: true }) => {
      const client = await connect(options, terminal)
      const revoked = await client.call("revokeNode", { node: node.toLowerCase() })
      if (options.json) terminal.print(JSON.stringify(revoked))
      else terminal.print(`revoked ${shortId(revoked.node)}: the fabric hears it no longer`)
      if (revoked.heldAuthority)
        terminal.remark(
          "carillon: that node held the CA: if its disk is in wrong hands, whoever has it can still admit nodes; then make a new fabric",
        )
    },
  )
}
