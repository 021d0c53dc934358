import { run } from "./program.ts"
import { processTerminal } from "./terminal.ts"

// A reader that has seen enough, such as `head`, closes the pipe. That is no failure, and no reason
// for a node to stop.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
})

process.exitCode = await run(process.argv.slice(2), processTerminal())
