import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { after, before, test } from "node:test"

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string }
let directory: string
before(() => {
  directory = mkdtempSync(join(tmpdir(), "carillon "))
})
after(() => rmSync(directory, { recursive: true }))

const script = (path: string, text: string) => {
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

/** A package of its own: the launcher, and what stands in for Node. */
function packageWith(node: string | undefined, tree: "src" | "dist"): string {
  const root = mkdtempSync(join(directory, "package "))
  for (const path of ["bin", `${tree}/apps/cli`, "path"]) mkdirSync(join(root, path), { recursive: true })
  copyFileSync("bin/carillon", join(root, "bin/carillon"))
  chmodSync(join(root, "bin/carillon"), 0o755)
  if (node !== undefined) script(join(root, "path/node"), node)
  return root
}

const fakeNode = (version: string) => `[ "$1" = --version ] && echo ${version} && exit 0\necho "$@"`

function start(root: string, ...args: readonly string[]) {
  const PATH = `${join(root, "path")}:/usr/bin:/bin`
  return spawnSync(join(root, "bin/carillon"), args, { env: { PATH }, encoding: "utf8" })
}

test("it runs through links, from anywhere, and prints the package's version", () => {
  symlinkSync(resolve("bin/carillon"), join(directory, "one"))
  symlinkSync("one", join(directory, "two"))
  const { status, stdout, stderr } = spawnSync(join(directory, "two"), ["--version"], {
    cwd: "/",
    encoding: "utf8",
  })
  assert.deepEqual([status, stdout, stderr], [0, `${version}\n`, ""])
})

test("a checkout runs its sources, a published package what was built", () => {
  for (const [tree, main] of [
    ["src", "src/apps/cli/main.ts"],
    ["dist", "dist/apps/cli/main.js"],
  ] as const) {
    const root = packageWith(fakeNode("v22.22.3"), tree)
    const { stdout, status } = start(root, "status", "--json", "two words")
    assert.equal(status, 0)
    assert.ok(stdout.trimEnd().endsWith(`${join(root, main)} status --json two words`), stdout)
  }
})

test("a Node that is too old, or none, is one sentence and exit code 1", () => {
  for (const [nodeVersion, runs] of [
    ["v20.20.2", false],
    ["v22.22.2", false],
    ["v22.9.9", false],
    ["v22.23.0", true],
    ["v24.0.0", true],
  ] as const) {
    const { status, stderr } = start(packageWith(fakeNode(nodeVersion), "src"))
    assert.equal(status, runs ? 0 : 1, nodeVersion)
    if (!runs) assert.match(stderr, /^carillon: needs Node 22\.22\.3 or newer.*\n$/)
  }
  assert.equal(start(packageWith("exit 127", "src")).status, 1)
})
