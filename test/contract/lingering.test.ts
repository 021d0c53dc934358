import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { type Instant, NEVER } from "../../src/core/kit/time.ts"
import { parseMessage } from "../../src/core/sip/parse.ts"
import { makeResponse } from "../../src/core/sip/respond.ts"
import type { ClientEffect, ClientInput } from "../../src/core/transaction/client.ts"
import { InviteClient } from "../../src/core/transaction/invite-client.ts"
import { InviteServer } from "../../src/core/transaction/invite-server.ts"
import { TransactionLayer } from "../../src/core/transaction/layer.ts"
import type { LayerEffect, LayerInput } from "../../src/core/transaction/layer-interface.ts"
import { NonInviteClient } from "../../src/core/transaction/non-invite-client.ts"
import { NonInviteServer } from "../../src/core/transaction/non-invite-server.ts"
import type { ServerEffect, ServerInput } from "../../src/core/transaction/server.ts"
import { STANDARD_TIMERS } from "../../src/core/transaction/timers.ts"
import { phoneFlow } from "../support/phone-flow.ts"

// The layer keeps transactions over UDP that have been answered as a few bytes each. Here the machines of RFC 3261 §17 go on instead: what
// comes back from either, and when, has to be the same.

const FLOW = phoneFlow("198.51.100.7", "192.0.2.1")
const UNRELIABLE = { reliable: false }
const BRANCHES = ["z9hG4bKa", "z9hG4bKb", "z9hG4bKc"]
const METHODS = ["INVITE", "INFO"] as const

const requestOf = (method: string, branch: string, tag = "") => {
  const lines = [
    `${method} sip:bob@example.org SIP/2.0`,
    `Via: SIP/2.0/UDP 198.51.100.7:5060;rport;branch=${branch}`,
    "From: <sip:alice@example.org>;tag=a",
    `To: <sip:bob@example.org>${tag === "" ? "" : `;tag=${tag}`}`,
    "Call-ID: call",
    `CSeq: 1 ${method}`,
    "Content-Length: 0",
  ]
  const message = parseMessage(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`))
  assert.ok(message.kind === "request")
  return message
}

const firstLineOf = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes).split("\r\n")[0]!

/** What of an effect anybody outside can tell; that a transaction has ended is the layer's own affair. */
function seen(effect: LayerEffect): readonly string[] {
  switch (effect.kind) {
    case "send":
      return [`send ${firstLineOf(effect.bytes)}`]
    case "response":
      return [`response ${effect.response.status} of ${effect.branch}`]
    case "failed":
      return [`failed ${effect.branch}`]
    case "log":
      return [`log ${effect.event}`]
    case "request":
    case "ack":
    case "count":
    case "cancelled":
      return [effect.kind]
    default:
      return []
  }
}

type Step =
  | { readonly kind: "ask"; readonly branch: string; readonly method: (typeof METHODS)[number] }
  | { readonly kind: "answer"; readonly branch: string; readonly method: string; readonly status: number }
  | { readonly kind: "ack"; readonly branch: string; readonly tag: string }
  | { readonly kind: "wait"; readonly milliseconds: number }

const branch = fc.constantFrom(...BRANCHES)
const method = fc.constantFrom(...METHODS)
const status = fc.constantFrom(180, 200, 200, 202, 404, 486)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("ask" as const), branch, method }),
  fc.record({ kind: fc.constant("answer" as const), branch, method, status }),
  fc.record({ kind: fc.constant("ack" as const), branch, tag: fc.constantFrom("b", "b", "other") }),
  fc.record({
    kind: fc.constant("wait" as const),
    milliseconds: fc.constantFrom(0, 300, 4_999, 5_000, 5_001, 31_999, 32_000, 32_001, 70_000),
  }),
)

/** What a machine of its own would be for each transaction, and what the layer has to make of what it says. */
abstract class Model {
  now = 0 as Instant
  readonly said: string[] = []
  readonly machines = new Map<string, { deadline: Instant; expire(now: Instant): readonly unknown[] }>()

  abstract tell(key: string, effects: readonly unknown[]): void

  wait(milliseconds: number): void {
    const until = (this.now + milliseconds) as Instant
    for (;;) {
      const [key, machine] = [...this.machines].reduce(
        (first, next) => (next[1].deadline < first[1].deadline ? next : first),
        ["", { deadline: NEVER, expire: () => [] }],
      )
      if (machine.deadline > until) break
      this.now = machine.deadline
      this.tell(key, machine.expire(this.now))
    }
    this.now = until
  }
}

class ServerModel extends Model {
  readonly tags = new Map<string, string>()

  do(each: Exclude<Step, { kind: "wait" }>): void {
    const method = each.kind === "ack" ? "INVITE" : each.method
    const key = `${method} ${each.branch}`
    const known = this.machines.get(key) as InviteServer | NonInviteServer | undefined
    if (each.kind === "ask" && known === undefined) {
      const machine = new (method === "INVITE" ? InviteServer : NonInviteServer)(
        UNRELIABLE,
        STANDARD_TIMERS,
        this.now,
      )
      this.machines.set(key, machine)
      this.tags.delete(key)
      this.said.push("request")
    } else if (each.kind === "ask") this.#input(key, { kind: "retransmission" })
    else if (each.kind === "ack") {
      const isOurs = known !== undefined && (this.tags.get(key) ?? each.tag) === each.tag
      if (!isOurs) this.said.push("ack")
      else this.#input(key, { kind: "acknowledged", request: requestOf("ACK", each.branch, each.tag) })
    } else if (known !== undefined) {
      const response = makeResponse(requestOf(method, each.branch), each.status, undefined, { toTag: "b" })
      if (each.status >= 200 && !this.tags.has(key)) this.tags.set(key, "b")
      this.#input(key, { kind: "response", response })
    }
  }

  #input(key: string, input: ServerInput): void {
    const machine = this.machines.get(key) as InviteServer | NonInviteServer
    this.tell(key, machine.handle(input, this.now))
  }

  tell(key: string, effects: readonly ServerEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "send")
        this.said.push(`send SIP/2.0 ${effect.response.status} ${effect.response.reason}`)
      else if (effect.kind === "pass") this.said.push("ack")
      else if (effect.kind === "overdue")
        this.#input(key, { kind: "response", response: makeResponse(requestOf("INVITE", "z9hG4bKx"), 100) })
      else if (effect.kind === "finished") {
        if (effect.cause === "unacknowledged") this.said.push("log sip.unacknowledged")
        this.machines.delete(key)
      }
    }
  }
}

class ClientModel extends Model {
  do(each: Exclude<Step, { kind: "wait" | "ack" }>): void {
    const { branch } = each
    const known = this.machines.get(branch) as InviteClient | NonInviteClient | undefined
    if (each.kind === "ask") {
      const machine = new (each.method === "INVITE" ? InviteClient : NonInviteClient)(
        UNRELIABLE,
        STANDARD_TIMERS,
        this.now,
      )
      this.machines.set(branch, machine)
      this.said.push(`send ${each.method} sip:bob@example.org SIP/2.0`)
    } else if (known === undefined || known instanceof InviteClient !== (each.method === "INVITE"))
      this.said.push("count")
    else {
      const response = makeResponse(requestOf(each.method, branch), each.status, undefined, { toTag: "b" })
      const input: ClientInput = { kind: "response", response }
      this.tell(branch, known.handle(input, this.now))
    }
  }

  tell(branch: string, effects: readonly ClientEffect[]): void {
    const machine = this.machines.get(branch)
    for (const effect of effects) {
      if (effect.kind === "pass") this.said.push(`response ${effect.response.status} of ${branch}`)
      else if (effect.kind === "acknowledge") this.said.push("send ACK sip:bob@example.org SIP/2.0")
      else if (effect.kind === "repeat")
        this.said.push(
          `send ${machine instanceof InviteClient ? "INVITE" : "INFO"} sip:bob@example.org SIP/2.0`,
        )
      else {
        if (effect.cause !== "answered") this.said.push(`failed ${branch}`)
        this.machines.delete(branch)
      }
    }
  }
}

/** The layer, told what the model is told, and what of it can be seen. */
class Side {
  readonly layer = new TransactionLayer(new SeededRandom(1))
  readonly said: string[] = []
  readonly servers = new Map<string, number>()
  now = 0 as Instant

  tell(input: LayerInput): void {
    this.take(this.layer.handle(input, this.now))
  }

  take(effects: readonly LayerEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === "request")
        this.servers.set(
          `${effect.request.method} ${effect.request.headers.first("Via")?.split("branch=")[1]?.split(";")[0]}`,
          effect.server,
        )
      this.said.push(...seen(effect))
    }
  }

  wait(milliseconds: number): void {
    const until = (this.now + milliseconds) as Instant
    while (this.layer.deadline <= until) {
      this.now = Math.max(this.now, this.layer.deadline) as Instant
      this.take(this.layer.expire(this.now))
    }
    this.now = until
  }
}

const received = (message: Extract<LayerInput, { kind: "received" }>["message"]): LayerInput => ({
  kind: "received",
  message,
  flow: FLOW,
})

/** What was said since it was last asked. Which of several things at one moment comes first is not promised. */
function takeSaid(said: string[]): readonly string[] {
  return said.splice(0).sort()
}

test("servers that have answered do on every repetition, and at every moment, what their machines would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [side, model] = [new Side(), new ServerModel()]
      for (const each of steps) {
        if (each.kind === "wait") {
          side.wait(each.milliseconds)
          model.wait(each.milliseconds)
        } else {
          model.do(each)
          if (each.kind === "ask") side.tell(received(requestOf(each.method, each.branch)))
          else if (each.kind === "ack") side.tell(received(requestOf("ACK", each.branch, each.tag)))
          else {
            const server = side.servers.get(`${each.method} ${each.branch}`) ?? -1
            // Who is told that a transaction has ended does not answer it: its other 2xx go back without it.
            const isOver = side.layer.pendingRequest(server) === undefined
            const response = makeResponse(requestOf(each.method, each.branch), each.status, undefined, {
              toTag: "b",
            })
            if (isOver) model.said.length = 0
            else side.tell({ kind: "respond", server, response })
          }
        }
        assert.deepEqual(takeSaid(side.said), takeSaid(model.said))
      }
    }),
    { seed: 3261, numRuns: 1_500 },
  )
})

test("clients that have been answered do on every repetition, and at every moment, what their machines would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [side, model] = [new Side(), new ClientModel()]
      for (const each of steps) {
        if (each.kind === "ack") continue
        if (each.kind === "wait") {
          side.wait(each.milliseconds)
          model.wait(each.milliseconds)
        } else if (each.kind === "ask") {
          // No branch is used twice while its transaction is there.
          if (model.machines.has(each.branch)) continue
          model.do(each)
          const hop = { kind: "flow", flow: FLOW } as const
          const request = requestOf(each.method, each.branch)
          side.tell({ kind: "start", branch: each.branch, request, hop })
        } else {
          model.do(each)
          const request = requestOf(each.method, each.branch)
          side.tell(received(makeResponse(request, each.status, undefined, { toTag: "b" })))
        }
        assert.deepEqual(takeSaid(side.said), takeSaid(model.said))
      }
    }),
    { seed: 3261, numRuns: 1_500 },
  )
})
