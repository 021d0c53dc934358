import { spawn } from "node:child_process"

/** What `carillon sim --json` prints for these options. Throws what it complains of. */
export function simulated(options: readonly string[]): Promise<string> {
  const command = ["--max-old-space-size=10000", "src/apps/cli/main.ts", "sim", ...options, "--json"]
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] })
  let [out, err] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text
  })
  return new Promise((resolve, reject) =>
    child.on("close", (code) => {
      if (code === 0) resolve(out.trim())
      else reject(new Error(`carillon sim ${options.join(" ")} ended with ${code}: ${err}`))
    }),
  )
}
