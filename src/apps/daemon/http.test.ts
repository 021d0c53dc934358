import assert from "node:assert/strict"
import { createConnection } from "node:net"
import { after, before, beforeEach, test } from "node:test"
import { FakeNode, TOKEN } from "../../../test/support/control.ts"
import { createHttp, HttpPortError, listenHttp } from "./http.ts"

let node: FakeNode
before(async () => {
  node = await new FakeNode().start()
})
after(() => node.stop())
beforeEach(() => {
  node.health = { state: "healthy" }
  node.answer = undefined
  node.users.clear()
  node.commands.length = 0
})

const admin = { authorization: `Bearer ${TOKEN}` }

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = admin) {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  const response = await fetch(node.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: text }),
  })
  const answer = (await response.json()) as Record<string, unknown>
  return { status: response.status, headers: response.headers, answer }
}

test("status, health, metrics, the page and the API's description are open; all else wants the token", async () => {
  for (const path of ["/", "/api/status", "/healthz", "/metrics", "/api/openapi.json"])
    assert.equal((await fetch(node.url + path)).status, 200, path)
  const closed = [
    ["GET", "/api/users"],
    ["POST", "/api/users"],
    ["DELETE", "/api/users/alice"],
    ["PUT", "/api/users/alice/password"],
    ["GET", "/api/lookup/alice"],
    ["POST", "/api/invites"],
    ["POST", "/api/drain"],
  ] as const
  for (const [method, path] of closed) {
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: TOKEN }]) {
      const { status, answer } = await ask(method, path, undefined, headers as Record<string, string>)
      assert.deepEqual([status, answer["code"]], [401, "no-token"], `${method} ${path}`)
    }
  }
  assert.deepEqual(node.commands, [])
})

test("bad input is refused with 400 that names the field, and never reaches the node", async () => {
  const bad = [
    [{ users: [{ name: "alice" }] }, "users.0.password"],
    [{ users: [{ name: "al ice", password: "x" }] }, "users.0.name"],
    [{ users: [{ name: "node-1", password: "x" }] }, "users.0.name"],
    [{ users: [{ name: "a".repeat(65), password: "x" }] }, "users.0.name"],
    [{ users: [{ name: "alice", password: "" }] }, "users.0.password"],
    [{ users: [] }, "users"],
    [{ users: [{ name: "alice", password: "x" }], mode: "replace" }, "mode"],
  ] as const
  for (const [body, field] of bad) {
    const { status, answer } = await ask("POST", "/api/users", body)
    assert.equal(status, 400)
    assert.equal((answer["fields"] as { field: string }[])[0]?.field, field)
    assert.match(String(answer["message"]), new RegExp(`^${field}: `))
  }
  const elsewhere = await ask("POST", "/api/users", { users: [{ name: "bob@example.com", password: "x" }] })
  assert.deepEqual([elsewhere.status, elsewhere.answer["code"]], [400, "bad-name"])
  for (const body of ["{", "[]", "7"]) assert.equal((await ask("POST", "/api/users", body)).status, 400, body)
  assert.equal((await ask("GET", "/api/lookup/%ff")).status, 400)
  assert.equal((await ask("PUT", "/api/users/alice/password", { name: "bob", password: "x" })).status, 400)
  assert.deepEqual(node.commands, [])
})

test("a body larger than a batch can be is refused, not gathered", async () => {
  const { status, answer } = await ask("POST", "/api/users", JSON.stringify({ users: "x".repeat(1_100_000) }))
  assert.deepEqual([status, answer["code"]], [413, "too-large"])
})

test("names reach the node whole, whichever way they are written", async () => {
  for (const name of ["alice", "alice@example.org", "alice@EXAMPLE.org"])
    await ask("POST", "/api/users", { users: [{ name, password: "secret" }], mode: "import" })
  await ask("DELETE", "/api/users/alice")
  await ask("GET", `/api/lookup/${encodeURIComponent("sip:bob@example.org")}`)
  assert.deepEqual(
    node.commands.map((command) =>
      "users" in command
        ? command.users[0]?.name
        : "name" in command
          ? command.name
          : "aor" in command && command.aor,
    ),
    [...Array(4).fill("alice@example.org"), "bob@example.org"],
  )
})

test("what the node refuses becomes the status that fits, with its own sentence", async () => {
  const statuses = { "user-exists": 409, "no-such-user": 404, "bad-name": 400, unavailable: 503 } as const
  for (const [code, status] of Object.entries(statuses)) {
    node.answer = () => ({ kind: "refused", code: code as keyof typeof statuses, cause: "because" })
    const refused = await ask("DELETE", "/api/users/alice")
    assert.deepEqual([refused.status, refused.answer], [status, { code, message: "because" }])
  }
  const unavailable = await ask("GET", "/api/users")
  assert.equal(unavailable.headers.get("retry-after"), "5")
})

test("health is 200 while the node serves, and 503 with its state and cause otherwise", async () => {
  const states = [
    [{ state: "joining" }, 503],
    [{ state: "healthy" }, 200],
    [{ state: "unhealthy", cause: "the disk is full" }, 503],
    [{ state: "draining" }, 503],
    [{ state: "drained" }, 503],
  ] as const
  for (const [health, status] of states) {
    node.health = health
    const answer = await ask("GET", "/healthz", undefined, {})
    assert.deepEqual([answer.status, answer.answer], [status, health])
  }
})

test("a drain is asked of the node once, however many wait for it, and again after a refusal", async () => {
  const { promise, resolve } = Promise.withResolvers<{ kind: "drained" }>()
  node.answer = () => promise
  const waiting = [ask("POST", "/api/drain"), ask("POST", "/api/drain")]
  await ask("GET", "/api/status")
  resolve({ kind: "drained" })
  for (const { answer } of await Promise.all(waiting)) assert.deepEqual(answer, { state: "drained" })
  assert.equal(node.commands.length, 1)

  const other = await new FakeNode().start()
  other.answer = () =>
    other.commands.length === 1 ? { kind: "refused", code: "unavailable", cause: "alone" } : undefined
  const drain = () => fetch(`${other.url}/api/drain`, { method: "POST", headers: admin })
  assert.deepEqual([(await drain()).status, (await drain()).status], [503, 200])
  other.stop()
})

test("a fault in an operation is answered with 500 and logged, and the next request is served", async () => {
  node.answer = () => {
    throw new Error("disk on fire")
  }
  const { status, answer } = await ask("GET", "/api/users")
  assert.deepEqual([status, answer["code"]], [500, "internal"])
  assert.doesNotMatch(JSON.stringify(answer), /fire/)
  assert.match(String(node.logged.at(-1)?.fields["cause"]), /disk on fire/)
  assert.equal((await ask("GET", "/api/status")).status, 200)
})

test("unknown paths and methods say so", async () => {
  assert.equal((await ask("GET", "/api/nothing")).status, 404)
  assert.equal((await ask("POST", "/healthz")).status, 404)
  assert.equal((await ask("PATCH", "/api/users")).status, 405)
  assert.equal((await fetch(node.url, { method: "HEAD" })).status, 200)
})

test("bytes that are no HTTP do not stop the server", async () => {
  const socket = createConnection(Number(new URL(node.url).port), "127.0.0.1")
  socket.end("\x16\x03\x01\0\0 GET nothing\r\n\r\n")
  await new Promise((resolve) => socket.once("close", resolve).resume())
  assert.equal((await ask("GET", "/api/status")).status, 200)
})

test("OpenAPI describes every route with its fields, and which need the token", async () => {
  const { answer } = await ask("GET", "/api/openapi.json")
  const paths = answer["paths"] as Record<string, Record<string, any>>
  assert.equal(answer["openapi"], "3.1.0")
  assert.deepEqual(paths["/api/status"]?.["get"].security, [])
  assert.deepEqual(paths["/api/drain"]?.["post"].security, [{ adminToken: [] }])
  const change = paths["/api/users/{name}/password"]?.["put"]
  assert.deepEqual(
    change.parameters.map((each: any) => [each.in, each.name]),
    [["path", "name"]],
  )
  assert.deepEqual(Object.keys(change.requestBody.content["application/json"].schema.properties), [
    "password",
  ])
})

test("the page runs nothing but its own script, and talks to its own node alone", async () => {
  const response = await fetch(node.url)
  const policy = response.headers.get("content-security-policy")
  assert.match(policy ?? "", /default-src 'none'.*script-src 'sha256-/)
  const html = await response.text()
  assert.match(html, /name="viewport"/)
  assert.doesNotMatch(html, /https?:\/\//)
})

test("a taken HTTP port is refused with port, address and remedy", async () => {
  const port = Number(new URL(node.url).port)
  const second = createHttp({} as Parameters<typeof createHttp>[0])
  await assert.rejects(listenHttp(second, { host: "127.0.0.1", port }), (error) => {
    assert.ok(error instanceof HttpPortError)
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port} is taken.*--http-port`))
    return true
  })
})
