import assert from "node:assert/strict"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { test } from "node:test"
import { ControlClient } from "./client.ts"

test("calls one after another do not share a connection, which the node may close in between", async () => {
  const seen: (string | undefined)[] = []
  const node = createServer(({ headers }, response) => {
    seen.push(headers.connection)
    response.setHeader("content-type", "application/json").end("{}")
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => node.once("listening", resolve))
  const { port } = node.address() as AddressInfo
  let connections = 0
  node.on("connection", () => connections++)
  const client = new ControlClient(new URL(`http://127.0.0.1:${port}`), undefined)
  for (let i = 0; i < 3; i++) await assert.rejects(client.call("status", {}), /is not ours/)
  assert.deepEqual([connections, seen], [3, ["close", "close", "close"]])
  node.close()
})
