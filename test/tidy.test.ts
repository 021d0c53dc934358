import assert from "node:assert/strict"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { test } from "node:test"

/**
 * The house: each room, from the ground up, and the rooms that it may use. Every room may use
 * `core/kit`. docs/ARCHITECTURE.md says what each is for.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  "core/kit": [],
  "core/wire": [],
  "core/sip": [],
  "core/identity": ["core/wire"],
  "core/reload": ["core/wire", "core/identity"],
  "core/transaction": ["core/sip"],
  "core/link": ["core/wire", "core/reload", "core/identity"],
  "core/topology": ["core/wire", "core/reload", "core/identity"],
  "core/storage": ["core/wire", "core/identity", "core/reload"],
  "core/overlay": ["core/wire", "core/identity", "core/reload", "core/link", "core/topology", "core/storage"],
  "core/service": ["core/sip", "core/transaction"],
  "core/usage": [
    "core/wire",
    "core/identity",
    "core/reload",
    "core/storage",
    "core/overlay",
    "core/sip",
    "core/service",
  ],
  "core/node": [
    "core/identity",
    "core/reload",
    "core/sip",
    "core/storage",
    "core/overlay",
    "core/service",
    "core/usage",
  ],
  "host/kit": ["core/identity", "core/reload", "core/node"],
  "host/crypto": ["core/identity"],
  "host/store": ["core/reload", "core/storage", "core/node", "host/kit"],
  "host/network": ["core/sip", "core/identity", "core/service", "core/node", "host/kit"],
  "host/authority": ["core/identity", "core/reload", "core/storage", "host/kit", "host/crypto"],
  "host/enrolment": [
    "core/identity",
    "core/reload",
    "core/storage",
    "core/node",
    "host/kit",
    "host/crypto",
    "host/network",
    "host/authority",
  ],
  "host/membership": [
    "core/identity",
    "core/reload",
    "core/storage",
    "host/kit",
    "host/crypto",
    "host/store",
    "host/authority",
    "host/enrolment",
  ],
  host: ["core/sip", "core/identity", "core/node", "host/kit", "host/crypto", "host/store", "host/network"],
  sim: [
    "core/wire",
    "core/identity",
    "core/reload",
    "core/topology",
    "core/sip",
    "core/transaction",
    "core/storage",
    "core/overlay",
    "core/service",
    "core/node",
  ],
  "apps/control": ["core/reload", "core/sip", "core/node"],
  "apps/web": ["apps/control"],
  "apps/daemon": [
    "core/identity",
    "core/reload",
    "core/sip",
    "core/overlay",
    "core/node",
    "host/kit",
    "host/crypto",
    "host/store",
    "host/authority",
    "host/enrolment",
    "host/membership",
    "host",
    "apps/control",
    "apps/web",
  ],
  "apps/cli": ["apps/control", "apps/daemon", "core/node", "core/usage", "sim"],
}

/** What would make a run of the core differ from the next one. The compiler keeps out the rest. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\s*[.(]|new Date\b/, "is told the time: take `now: Instant`"],
  [/\bMath\.random\b/, "is told its luck: take a `Random`"],
  [/\b(async|await|Promise)\b/, "runs to completion: answer with an effect"],
  [/\bset(Timeout|Interval|Immediate)\b/, "waits for nothing: keep a `deadline`"],
  [/"node:/, "knows no platform: take a port"],
  [/\bconsole\b/, "prints nothing: answer with a `log` effect"],
]

const LINES_PER_FILE = 400

/** Longer ones say why, in a comment that begins so. */
const REASON = /^\/\/ Longer than the house allows: /m

const files = (readdirSync("src", { recursive: true }) as string[])
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
  .map((path) => ({ path, text: readFileSync(join("src", path), "utf8") }))
const sources = files.filter(({ path }) => !path.endsWith(".test.ts"))

test("rooms stand on rooms below them, so no room can lean on itself", () => {
  const names = Object.keys(ROOMS)
  for (const [index, name] of names.entries()) {
    for (const used of ROOMS[name]!) assert.ok(names.indexOf(used) < index, `${name} stands above ${used}`)
  }
})

test("every import stays in its room or goes through a door of the plan", () => {
  for (const { path, text } of sources) {
    for (const [, target] of text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)) {
      const [from, to] = [roomOf(path), roomOf(join(dirname(path), target!))]
      assert.ok(
        from === to || to === "core/kit" || ROOMS[from]!.includes(to),
        `${path}: ${from} may not use ${to}`,
      )
    }
  }
})

test("the core is pure", () => {
  for (const { path, text } of sources.filter(({ path }) => path.startsWith("core/"))) {
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "")
    for (const [word, rule] of IMPURE) assert.doesNotMatch(code, word, `${path}: the core ${rule}`)
  }
})

test("a file can be read in one sitting, or says why not", () => {
  for (const { path, text } of sources)
    assert.ok(text.split("\n").length <= LINES_PER_FILE + 1 || REASON.test(text), `${path} is too long`)
})

test("nothing speaks of a workplace", () => {
  const forbidden = /\/work\/|\/root\/|\.\.\/shared/
  for (const { path, text } of files) assert.doesNotMatch(text, forbidden, path)
})

test("what documents link to and name is there", () => {
  const named = (readdirSync("docs", { recursive: true }) as string[]).map((path) => join("docs", path))
  for (const path of [...named, "README.md", "CONTRIBUTING.md"].filter((path) => path.endsWith(".md"))) {
    const text = readFileSync(path, "utf8")
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g))
      assert.ok(existsSync(join(dirname(path), target!)), `${path} links to ${target}`)
    for (const [, file] of text.matchAll(/`((?:[a-z0-9-]+\/)+[a-z0-9.-]+\.ts)`/g))
      assert.ok(
        ["", "src", "src/core"].some((root) => existsSync(join(root, file!))) || isExample(text, file!),
        `${path} names ${file}`,
      )
  }
})

/** A guide may have its reader make a file, and says so. */
const isExample = (text: string, file: string) => text.includes(`Save this as \`${file}\``)

function roomOf(path: string): string {
  const room = Object.keys(ROOMS).find((name) => path.startsWith(`${name}/`))
  assert.ok(room, `${path} is in no room of the plan`)
  return room
}
