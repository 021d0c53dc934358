import { spawnSync } from "node:child_process"
import { mkdirSync, symlinkSync } from "node:fs"
import { join, resolve } from "node:path"

/**
 * A build of ours that farms may still run: private structures have to be understood between it and this one. Moves on
 * when a minor version is released, for farms are upgraded by one at a time.
 */
export const EARLIER = "63ebc3285ec436f9e8e3a5dbe8ce62777d6e3ced"

/** Lays that build out in a directory, with the packages of this one, and says where. */
export function layOutEarlierBuild(directory: string): string {
  const build = join(directory, "earlier-build")
  mkdirSync(build)
  const script = 'set -o pipefail; git archive "$0" | tar -x -C "$1"'
  const { status, stderr } = spawnSync("bash", ["-c", script, EARLIER, build], { encoding: "utf8" })
  if (status !== 0)
    throw new Error(
      `the commit ${EARLIER} cannot be laid out, with which this build has to work together: is the clone a shallow one? Then "git fetch --unshallow" brings it. ${stderr}`,
    )
  symlinkSync(resolve("node_modules"), join(build, "node_modules"))
  return build
}
