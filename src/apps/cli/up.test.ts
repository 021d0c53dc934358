import assert from "node:assert/strict"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { after, before, test } from "node:test"

const CARILLON = resolve("bin/carillon")
const PORTS = ["--sip-port", "0", "--sips-port", "0", "--reload-port", "0", "--http-port", "0"]
let data: string
const running: ChildProcess[] = []
before(() => {
  data = join(mkdtempSync(join(tmpdir(), "carillon-")), "data")
})
after(() => {
  for (const child of running) child.kill("SIGKILL")
  rmSync(join(data, ".."), { recursive: true })
})

/** Starts a node, and waits until it is ready. */
async function up(...options: readonly string[]) {
  const child = spawn(CARILLON, ["up", "--data", data, "--host", "127.0.0.1", ...PORTS, ...options], {
    cwd: join(data, ".."),
  })
  running.push(child)
  let out = ""
  let err = ""
  child.stderr.on("data", (text) => {
    err += text
  })
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (text) => {
      out += text
      if (/^ready in/m.test(out)) resolve()
    })
    void ended.then(() => reject(new Error(`it ended: ${out}${err}`)))
  })
  const url = /^dashboard +(\S+)$/m.exec(out)![1]!
  const run = (...args: readonly string[]) =>
    spawnSync(CARILLON, [...args, "--http", url, "--data", data], { encoding: "utf8" })
  return { child, ended, out, url, run }
}

test("one command makes a fabric of one that serves, keeps its users, and stops when it is told to", {
  timeout: 60_000,
}, async () => {
  const node = await up("--domain", "bells.example", "--user", "alice:secret")
  assert.match(node.out, /fabric bells\.example: a new fabric/)
  assert.match(node.out, /^\d+ +UDP, TCP +SIP: phones$/m)
  assert.match(node.out, /^second node +carillon up --join carillon1:\S+$/m)
  assert.equal((await fetch(`${node.url}healthz`)).status, 200)
  assert.equal(await answersOptions(Number(/^(\d+) +UDP/m.exec(node.out)![1])), true)
  const status = JSON.parse(node.run("status", "--json").stdout)
  assert.equal(status.domain, "bells.example")
  assert.deepEqual(status, { ...(await statusOf(node.url)), uptimeSeconds: status.uptimeSeconds })
  assert.equal(node.run("user", "add", "bob", "--password", "b").status, 0)
  assert.equal(node.run("user", "add", "bob", "--password", "b").status, 1)
  assert.equal(node.run("lookup", "bob").status, 1)
  assert.equal(statSync(join(data, "admin-token")).mode & 0o777, 0o600)
  node.child.kill("SIGTERM")
  assert.equal(await node.ended, 0)

  const again = await up()
  assert.match(again.out, /fabric bells\.example: back with its data/)
  assert.equal(again.run("user", "list").stdout, "alice@bells.example\nbob@bells.example\n")
  assert.match(again.run("drain").stdout, /safe to stop .* keep its data directory/)
  assert.equal((await fetch(`${again.url}healthz`)).status, 503)
  again.child.kill("SIGINT")
  assert.equal(await again.ended, 0)
})

test("a domain that is not the directory's is refused in one sentence", () => {
  const args = ["up", "--data", data, "--host", "127.0.0.1", ...PORTS, "--domain", "other.example"]
  const { status, stdout, stderr } = spawnSync(CARILLON, args, { encoding: "utf8" })
  assert.deepEqual([status, stdout], [1, ""])
  assert.match(stderr, /^carillon: .*bells\.example.*other\.example.*--data\n$/)
})

const statusOf = async (url: string) => (await (await fetch(`${url}api/status`)).json()) as object

/** Whether a phone that asks is answered. RFC 3261 §11. */
function answersOptions(port: number): Promise<boolean> {
  const socket = createSocket("udp4")
  return new Promise((resolve) => {
    const finish = (answer: boolean) => {
      clearTimeout(timer)
      socket.close()
      resolve(answer)
    }
    const timer = setTimeout(() => finish(false), 10_000)
    socket.once("message", (message) => finish(message.toString("latin1").startsWith("SIP/2.0 200")))
    socket.bind(0, "127.0.0.1", () => {
      const own = `127.0.0.1:${socket.address().port}`
      const lines = [
        "OPTIONS sip:bells.example SIP/2.0",
        `Via: SIP/2.0/UDP ${own};rport;branch=z9hG4bK776asdhds`,
        "Max-Forwards: 70",
        `From: <sip:probe@${own}>;tag=1928301774`,
        "To: <sip:bells.example>",
        "Call-ID: a84b4c76e66710",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
      ]
      socket.send(`${lines.join("\r\n")}\r\n\r\n`, port, "127.0.0.1")
    })
  })
}
