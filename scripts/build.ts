// Emits `dist/` for publishing: JavaScript and types beside each other. Development needs no build.
import { spawnSync } from "node:child_process"
import { cpSync, rmSync } from "node:fs"

rmSync("dist", { recursive: true, force: true })
const { status } = spawnSync(
  process.execPath,
  ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"],
  {
    stdio: "inherit",
  },
)
if (status !== 0) process.exit(status ?? 1)
cpSync("src/apps/web", "dist/apps/web", { recursive: true, filter: (file) => !file.endsWith(".ts") })
