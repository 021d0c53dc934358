import type { Command } from "commander"
import type { Answer } from "../../control/routes.ts"
import { type ConnectionOptions, connect, withConnection } from "../connection.ts"
import { ExitCode } from "../outcome.ts"
import type { Stage } from "../stage.ts"
import { counted, plain, shortId, table } from "../table.ts"

export function addLookup(parent: Command, { terminal, finish }: Stage): void {
  const command = parent
    .command("lookup")
    .description("Show where an address is registered, who holds its record, and what finding it took.")
    .argument("<aor>", "address-of-record: sip:alice@example.org, alice@example.org or alice")
    .option("--json", "print the facts as one line of JSON")
    .addHelpText("after", "\nExit code 1 where nothing is registered.")
  withConnection(command).action(
    async (aor: string, options: ConnectionOptions & { readonly json?: true }) => {
      const client = await connect(options, terminal)
      const found = await client.call("lookup", { aor })
      if (options.json) terminal.print(JSON.stringify(found))
      else for (const line of describeLookup(found)) terminal.print(line)
      finish(found.bindings.length > 0 ? ExitCode.ok : ExitCode.negative)
    },
  )
}

export function describeLookup(found: Answer<"lookup">): readonly string[] {
  const rows = found.bindings.map((binding) => [
    binding.contact,
    binding.transport,
    binding.source,
    `${Math.max(0, Math.round((binding.expires - Date.now()) / 1_000))} s`,
    String(binding.q / 1_000),
    binding.reachedBy,
    `${shortId(binding.edge)}${binding.edgeAlive ? "" : " (dead)"}`,
  ])
  const header = ["CONTACT", "VIA", "SOURCE", "EXPIRES", "Q", "REACHED BY", "EDGE"]
  const steps = found.steps.map(({ what, responder, hops, milliseconds }) => [
    what,
    `by ${shortId(responder)}`,
    counted(hops, "hop"),
    `${milliseconds.toFixed(1)} ms`,
  ])
  const lines = [
    summary(found),
    ...(rows.length === 0 ? [] : table([header, ...rows])),
    "",
    `record ${shortId(found.resource)}, responsible ${shortId(found.responsible)}, copies at ${found.copies.map(shortId).join(", ") || "no node"}`,
    ...table(steps).map((line) => `  ${line}`),
  ]
  return lines.map(plain)
}

function summary({ aor, user, bindings }: Answer<"lookup">): string {
  if (bindings.length > 0) return `${aor} is registered at ${counted(bindings.length, "contact")}`
  return user ? `${aor} is a user, and not registered` : `${aor} is no user of this fabric`
}
