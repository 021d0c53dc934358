import type { NodeAnswer, NodeCommand } from "../../core/node/interface.ts"
import { ControlError } from "../control/control-error.ts"
import type { Answer, Request } from "../control/routes.ts"
import type { StatusReport } from "../control/schemas.ts"
import { splitUserName, userNameProblem } from "../control/user-name.ts"
import type { Handlers } from "./dispatch.ts"

/** Longer than the fabric's own limits: what is not answered by then never will be. */
const COMMAND_PATIENCE = 30_000

/** How long one answer about a drain may be held back; the client asks again. */
const DRAIN_ANSWER = 20_000

/** What the control API needs of the node that it controls. */
export interface Controlled {
  /** The fabric's SIP domain. */
  readonly domain: string
  status(): StatusReport
  command(command: NodeCommand): Promise<NodeAnswer>
  /** One line of text. Throws ControlError where this node cannot invite. */
  invite(asked: Request<"invite">): Promise<{ readonly invite: string; readonly expires: Date }>
  /** By Node-ID, or how it begins. Throws ControlError. */
  revoke(node: string): Promise<{ readonly node: string; readonly heldAuthority: boolean }>
  /** Of the whole fabric. Throws ControlError where this node does not hold the CA. */
  backup(passphrase: string): Promise<Answer<"backup">>
}

/** The control API's operations, done by a node. */
export function createHandlers(node: Controlled): Handlers {
  const drain = drainOnce(node)
  return {
    status: async () => node.status(),
    async listUsers() {
      const { names } = await ask(node, { kind: "list-users" }, "users")
      return { users: [...names] }
    },
    async putUsers({ users, mode }) {
      const named = users.map(({ name, password }) => ({ name: fullName(node, name), password }))
      const { count } = await ask(node, { kind: "put-users", users: named, mode }, "users-put")
      return { count }
    },
    async changePassword({ name, password }) {
      const users = [{ name: fullName(node, name), password }]
      await ask(node, { kind: "put-users", users, mode: "change-password" }, "users-put")
      return { name: users[0]!.name }
    },
    async removeUser({ name }) {
      const removed = await ask(node, { kind: "remove-user", name: fullName(node, name) }, "user-removed")
      return { name: removed.name }
    },
    async lookup({ aor }) {
      const { kind, ...found } = await ask(node, { kind: "lookup", aor: fullName(node, aor) }, "found")
      return { ...found, bindings: [...found.bindings], copies: [...found.copies], steps: [...found.steps] }
    },
    async invite(asked) {
      const { invite, expires } = await node.invite(asked)
      return { invite, uses: asked.uses, expires: expires.toISOString() }
    },
    backup: ({ passphrase }) => node.backup(passphrase),
    revokeNode: (asked) => node.revoke(asked.node),
    async drain() {
      const done = await within(DRAIN_ANSWER, drain())
      return { state: done === undefined ? "draining" : "drained" }
    },
  }
}

/** `alice` as `alice@example.org`. Throws ControlError 400 for another domain's. */
function fullName(node: Pick<Controlled, "domain">, name: string): string {
  const { domain } = node
  const problem = userNameProblem(name, domain)
  if (problem !== undefined)
    throw new ControlError(400, "bad-name", `"${name}" ${problem}`, [{ field: "name", problem }])
  return `${splitUserName(name).user}@${domain}`
}

type AnswerOf<Kind extends NodeAnswer["kind"]> = Extract<NodeAnswer, { kind: Kind }>

/** Has the node do it; throws ControlError where it refuses or does not answer. */
async function ask<Kind extends NodeAnswer["kind"]>(
  node: Controlled,
  command: NodeCommand,
  expected: Kind,
): Promise<AnswerOf<Kind>> {
  const answer = await within(COMMAND_PATIENCE, node.command(command))
  if (answer === undefined) {
    const waited = `the node did not answer within ${COMMAND_PATIENCE / 1_000} s`
    throw new ControlError(503, "unavailable", `${waited}; "carillon status" shows its health; try again`)
  }
  return expectAnswer(answer, expected)
}

const REFUSAL_STATUS = {
  "user-exists": 409,
  "no-such-user": 404,
  "bad-name": 400,
  unavailable: 503,
} as const

function expectAnswer<Kind extends NodeAnswer["kind"]>(answer: NodeAnswer, expected: Kind): AnswerOf<Kind> {
  if (answer.kind === expected) return answer as AnswerOf<Kind>
  if (answer.kind === "refused")
    throw new ControlError(REFUSAL_STATUS[answer.code], answer.code, answer.cause)
  throw new Error(`the node answered ${answer.kind} where ${expected} was due`)
}

/** One drain, however often it is asked for; asked of the node again only where it came to nothing. */
function drainOnce(node: Controlled): () => Promise<true> {
  let underWay: Promise<true> | undefined
  const drain = async (): Promise<true> => {
    try {
      expectAnswer(await node.command({ kind: "drain" }), "drained")
      return true
    } catch (error) {
      underWay = undefined
      throw error
    }
  }
  return () => {
    underWay ??= drain()
    return underWay
  }
}

/** The result, or undefined where it takes longer than that many milliseconds. */
export async function within<Result>(wait: number, result: Promise<Result>): Promise<Result | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), wait)
  try {
    return await Promise.race([result, promise])
  } finally {
    clearTimeout(timer)
  }
}
