import { z } from "zod"
import type { Health, NodeAnswer, NodeStatus } from "../../core/node/interface.ts"
import { ROLES_TO_GIVE } from "./roles.ts"
import { passwordProblem, userNameProblem } from "./user-name.ts"

// What goes over the control API. Answers are loose objects: a command line one version older than
// the node must understand what it knows, and print the rest.

const MAX_BATCH = 1_000
const ONE_YEAR = 365 * 24 * 3_600

/** Texts judged by a function that says what is wrong with them. */
const judged = (problem: (text: string) => string | undefined, description: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const message = problem(text)
      if (message !== undefined) context.addIssue({ code: "custom", message })
    })
    .describe(description)

export const UserName = judged(userNameProblem, "user part, or user@domain of this fabric's own domain")
export const Password = judged(passwordProblem, "1 to 128 characters, none of them a control character")

const RoleToGive = judged(
  (role) =>
    ROLES_TO_GIVE.includes(role)
      ? undefined
      : `"${role}" is no role to give a node; write some of ${ROLES_TO_GIVE.join(", ")}`,
  ROLES_TO_GIVE.join(", "),
)

export const Nothing = z.object({})

export const PutUsers = z.object({
  users: z
    .array(z.object({ name: UserName, password: Password }))
    .min(1)
    .max(MAX_BATCH),
  mode: z
    .enum(["add", "import"])
    .default("add")
    .describe("add refuses names that exist; import gives them the new password"),
})

export const ChangePassword = z.object({ name: UserName, password: Password })

export const NamedUser = z.object({ name: UserName })

const nodeProblem = (text: string): string | undefined =>
  /^[0-9a-f]{4,32}$/.test(text)
    ? undefined
    : "is no Node-ID; give 4 to 32 hexadecimal digits, as status shows them"

export const NamedNode = z.object({
  node: judged(nodeProblem, "Node-ID, or at least four digits of its beginning"),
})

export const RevokedNode = z.looseObject({
  node: z.string(),
  heldAuthority: z.boolean().describe("it held the CA, which whoever has its disk still has"),
})

export const AskedBackup = z.object({ passphrase: z.string().min(12).max(1_024) })

export const Backup = z.looseObject({
  overlay: z.string(),
  backup: z.string().describe("the file, as base64"),
  values: z.number(),
  nodes: z.number().describe("whose records are in it"),
  missing: z.array(z.string()).describe("addresses of nodes that did not give their records"),
})

export const AskedAor = z.object({ aor: UserName.describe("sip:user@domain, user@domain or user") })

export const AskedInvite = z.object({
  roles: z.array(RoleToGive).max(16).optional(),
  uses: z.number().int().min(1).max(10_000).default(1),
  expiresSeconds: z.number().int().min(1).max(ONE_YEAR).default(3_600),
})

export const Invite = z.looseObject({ invite: z.string(), uses: z.number(), expires: z.string() })

export const Count = z.looseObject({ count: z.number() })

export const Users = z.looseObject({ users: z.array(z.string()) })

/** `draining`: not done yet; ask again. */
export const Drain = z.looseObject({ state: z.enum(["draining", "drained"]) })

export const HealthReport: z.ZodType<Health> = z.discriminatedUnion("state", [
  z.looseObject({
    state: z.literal("joining"),
    cause: z.string().optional().describe("why it does not join"),
  }),
  z.looseObject({ state: z.enum(["draining", "drained"]) }),
  z.looseObject({ state: z.literal("healthy") }),
  z.looseObject({ state: z.literal("unhealthy"), cause: z.string() }),
])

/** What the node tells of itself, and what its host adds. */
export type StatusReport = NodeStatus & {
  /** How SIP over UDP is moved, and why that way. */
  readonly udp?: string | undefined
  /** How far the system's clock is ahead of the one that the node goes by: it was set while the node ran. Milliseconds. */
  readonly clockStep?: number | undefined
  /** A record store that was damaged: what became of it, and of what was in it. */
  readonly store?:
    | {
        readonly at: number
        readonly problem: string
        readonly aside?: string | undefined
        readonly state: "fetching" | "fetched" | "accepted" | "written-anew"
      }
    | undefined
}

export const Status: z.ZodType<StatusReport> = z.looseObject({
  version: z.string(),
  node: z.string(),
  domain: z.string(),
  overlay: z.string(),
  health: HealthReport,
  uptimeSeconds: z.number(),
  advertised: z.string(),
  roles: z.array(z.string()),
  nodes: z.array(
    z.looseObject({
      node: z.string(),
      address: z.string(),
      roles: z.array(z.string()),
      site: z.string().optional(),
      rack: z.string().optional(),
      self: z.boolean(),
      version: z.string().optional().describe("what it runs, where it has told"),
    }),
  ),
  clocks: z
    .array(z.looseObject({ node: z.string(), ahead: z.number().describe("milliseconds; negative: behind") }))
    .default([])
    .describe("how far the clocks of linked nodes are ahead of this one's"),
  roleCounts: z.record(z.string(), z.number()),
  mayDie: z.number(),
  records: z.looseObject({
    held: z.number(),
    due: z.number(),
    extra: z.number().default(0).describe("copies for records whose three holders share a failure domain"),
    short: z.number(),
    repairing: z.number(),
  }),
  sip: z.looseObject({
    pendingInvites: z.number(),
    pendingTransactions: z.number(),
    answeredCalls: z.number(),
    registrations: z.number(),
  }),
  certificateDaysLeft: z.number(),
  configurationDaysLeft: z.number(),
  authorityDaysLeft: z.number(),
  udp: z.string().optional(),
  clockStep: z
    .number()
    .optional()
    .describe(
      "milliseconds that the system's clock is ahead of the one the node goes by: it was set while the node ran",
    ),
  store: z
    .looseObject({
      at: z.number().describe("Unix milliseconds"),
      problem: z.string(),
      aside: z.string().optional().describe("what the damaged file is called now"),
      state: z.enum(["fetching", "fetched", "accepted", "written-anew"]),
    })
    .optional()
    .describe("a record store that was damaged, since this node started"),
})

type FoundBinding = Extract<NodeAnswer, { readonly kind: "found" }>["bindings"][number]

const Binding: z.ZodType<FoundBinding> = z.looseObject({
  contact: z.string(),
  edge: z.string(),
  transport: z.string(),
  source: z.string(),
  expires: z.number(),
  q: z.number(),
  reachedBy: z.enum(["contact", "path", "flow"]),
  edgeAlive: z.boolean(),
})

export const Found = z.looseObject({
  aor: z.string(),
  user: z.boolean().describe("whether such a subscriber exists"),
  bindings: z.array(Binding).readonly(),
  resource: z.string(),
  responsible: z.string(),
  copies: z.array(z.string()).readonly(),
  steps: z
    .array(
      z.looseObject({ what: z.string(), responder: z.string(), hops: z.number(), milliseconds: z.number() }),
    )
    .readonly(),
})

/** Every answer that is not 2xx. */
export const Problem = z.looseObject({
  code: z.string().describe("stable; for programs"),
  message: z.string().describe("one sentence: what, why, what to do"),
  fields: z.array(z.object({ field: z.string(), problem: z.string() })).optional(),
})
