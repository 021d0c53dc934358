import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { ALIASES, DOMAIN, Farm, type FarmNode, type Phone, statusOf } from "../support/sip-farm.ts"

// A node that answers known requests from memory, beside one that judges everything anew: whatever phones do, both say the
// same, store the same and ask the fabric the same. The second one's list of aliases is another one at each look, and what
// is known about requests holds only as long as the aliases do.

interface Side {
  readonly farm: Farm
  readonly node: FarmNode
  readonly phones: readonly Phone[]
  readonly challenges: string[]
  branches: number
  last: { readonly phone: Phone; readonly text: string } | undefined
}

function side(isQuick: boolean): Side {
  const farm = new Farm(1, isQuick ? {} : { aliases: () => [...ALIASES] })
  farm.addUser("alice", "secret")
  farm.addUser("bob", "secret")
  // Two phones of alice, one of bob, one that is alice's first behind another address, and a stranger.
  const phones = [
    farm.phone("alice", "UDP", "192.0.2.1"),
    farm.phone("alice", "UDP", "192.0.2.2"),
    farm.phone("bob", "TCP", "192.0.2.3"),
    farm.phone("alice", "UDP", "192.0.2.4"),
    farm.phone("mallory", "UDP", "192.0.2.5"),
  ]
  phones[3]!.own = phones[0]!.own
  return {
    farm,
    node: farm.nodes[0]!,
    phones,
    challenges: ["", "", "", "", ""],
    branches: 0,
    last: undefined,
  }
}

interface Variant {
  readonly phone: number
  readonly headers: readonly string[]
  readonly method: "REGISTER" | "OPTIONS"
  readonly password: string
  readonly credentials: "right" | "none" | "same count" | "malformed"
  /** Added to the CSeq that would be next. */
  readonly gap: number
  readonly contact: string | undefined
  readonly tag: string
  readonly compact: boolean
}

const PLAIN: Variant = {
  phone: 0,
  headers: ["Expires: 600"],
  method: "REGISTER",
  password: "secret",
  credentials: "right",
  gap: 0,
  contact: undefined,
  tag: "t",
  compact: false,
}

/** The text of a request; each side's own, as their nonces differ. */
function textOf(side: Side, cseq: number, variant: Variant): string {
  const { method, contact, tag, compact } = variant
  const phone = side.phones[variant.phone]!
  const challenge = side.challenges[variant.phone]!
  const headers = [...variant.headers]
  if (method === "REGISTER" && challenge !== "" && variant.credentials !== "none") {
    const before = phone.password
    phone.password = variant.password
    let field = phone.credentials(challenge, "REGISTER", `sip:${DOMAIN}`)
    phone.password = before
    if (variant.credentials === "malformed") field = field.replace("nc=0", "nc=z")
    if (variant.credentials === "same count")
      field = side.last?.text.match(/^Authorization: .*$/m)?.[0] ?? field
    headers.push(field)
  }
  const text = phone.text(method, {
    cseq,
    branch: `z9hG4bK${variant.phone}-${++side.branches}`,
    from: `<sip:${phone.user}@${DOMAIN}>;tag=${tag}`,
    ...(method === "OPTIONS" && { to: `<sip:${DOMAIN}>`, callId: `o${cseq}@${phone.user}` }),
    ...(contact !== undefined && { contact }),
    headers,
  })
  return compact ? text.replace("Via:", "v:").replace("Call-ID:", "i:").replace("Contact:", "m:") : text
}

/** An answer without what chance makes: nonces, and the tags of answers that are remembered. Those of others are compared. */
function comparable(text: string): string {
  const isChance = /^SIP\/2.0 200 [\s\S]*\r\nCSeq: \d+ REGISTER\r/.test(text)
  return text
    .replaceAll(/nonce="[^"]*"/g, "nonce")
    .replace(isChance ? /(\r\nTo: [^\r]*;tag=)\w+/ : /(\r\nTo: [^\r]*;tag=)\w{8}\r/, "$1")
}

function exchange(side: Side, phoneNumber: number, text: string): readonly string[] {
  const { node, farm } = side
  const phone = side.phones[phoneNumber]!
  for (const each of farm.phones) each.inbox.length = 0
  node.effects.length = 0
  phone.send(node, text)
  side.last = { phone, text }
  const answer = phone.lastAnswer()
  if (statusOf(answer) === 401) side.challenges[phoneNumber] = answer
  return farm.phones.map(({ inbox }) => inbox.map(comparable).join("\n"))
}

const variant = fc.record({
  phone: fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 4),
  headers: fc.constantFrom(
    ...["Expires: 600", "Expires: 600", "Expires: 600", "Expires: 600", "Expires: 0", "Expires: 20"].map(
      (line) => [line],
    ),
    ["Expires: 600", "Require: teleport"],
    ["Expires: 600", "Path: <sip:edge.example.net;lr>"],
    ["Expires: 600", "Record-Route: <sip:edge.example.net;lr>"],
  ),
  method: fc.constantFrom(...(["REGISTER", "REGISTER", "REGISTER", "OPTIONS"] as const)),
  password: fc.constantFrom("secret", "secret", "secret", "secret", "changed", "wrong"),
  credentials: fc.constantFrom(...(["right", "right", "right", "none", "same count", "malformed"] as const)),
  gap: fc.constantFrom(0, 0, 0, 0, 0, 1, -1, -2),
  contact: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    undefined,
    "*",
    "<sip:alice@192.0.2.1:5060>, <sip:alice@192.0.2.9:5060>;q=0.5",
    "<sip:alice@192.0.2.1:5060>;expires=300;q=0.3",
    '"A" <sip:alice@192.0.2.1;ob>;reg-id=1;+sip.instance="<urn:uuid:1>"',
    "<sip:alice@[192.0.2.1>",
  ),
  tag: fc.constantFrom("t", "t2"),
  compact: fc.constantFrom(false, false, true),
})

type Step =
  | { readonly kind: "ask"; readonly variant: Variant }
  | {
      readonly kind: "plain"
      readonly phone: number
      readonly times: number
      readonly credentials: Variant["credentials"]
      readonly method: Variant["method"]
    }
  | { readonly kind: "repeat" | "remove user" | "change password" | "add user" | "let expire" }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "refuse work" | "fault"; readonly on: boolean }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("ask" as const), variant }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("plain" as const),
      phone: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
      times: fc.integer({ min: 1, max: 4 }),
      credentials: fc.constantFrom("right" as const, "right" as const, "none" as const),
      method: fc.constantFrom("REGISTER" as const, "REGISTER" as const, "OPTIONS" as const),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: "repeat" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      seconds: fc.constantFrom(1, 5, 20, 100, 301),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "remove user" as const,
        "change password" as const,
        "add user" as const,
        "let expire" as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("refuse work" as const, "fault" as const),
      on: fc.boolean(),
    }),
  },
)

/** What has to be equal after every step, beside the answers. */
const stateOf = ({ farm, node }: Side) => ({
  bindings: [...farm.bindings].map(([aor, entries]) => [aor, [...entries]]),
  registrations: node.server.statistics.registrations,
  asked: node.asked(),
  counts: node.effects.flatMap((effect) => (effect.kind === "count" ? [effect] : [])),
  refused: node.logged("sip.refused"),
})

/** What was answered from memory, by method and status, and how often. */
type Tally = Map<string, number>

function play(steps: readonly Step[], quick: Tally): void {
  const sides = [side(true), side(false)]
  const cseqs = [0, 0, 0, 0, 0]
  const note = (kind: string) => {
    if (!sides[0]!.node.effects.some((effect) => effect.kind === "send" && effect.id === "shortcut")) return
    quick.set(kind, (quick.get(kind) ?? 0) + 1)
  }
  const ask = (what: Variant) => {
    const cseq = Math.max(1, cseqs[what.phone]! + 1 + what.gap)
    cseqs[what.phone] = cseq
    const heard = sides.map((each) => exchange(each, what.phone, textOf(each, cseq, what)))
    assert.deepEqual(heard[0], heard[1])
    const who = what.phone === 4 ? "stranger's " : ""
    note(`${who}${what.method} ${statusOf(sides[0]!.phones[what.phone]!.lastAnswer())}`)
  }
  for (const each of steps) {
    for (const { node } of sides) node.effects.length = 0
    switch (each.kind) {
      case "ask":
        ask(each.variant)
        break
      case "plain":
        for (let time = 0; time < each.times; time++)
          ask({ ...PLAIN, phone: each.phone, credentials: each.credentials, method: each.method })
        break
      case "repeat": {
        // As a phone does that has heard nothing.
        const heard = sides.map((every) =>
          every.last === undefined
            ? []
            : exchange(every, every.phones.indexOf(every.last.phone), every.last.text),
        )
        assert.deepEqual(heard[0], heard[1])
        note("repetition")
        break
      }
      case "wait":
        for (const { farm } of sides) farm.advance(1_000 * each.seconds)
        break
      case "let expire":
        for (const { farm } of sides) farm.advance(601_000)
        break
      case "remove user":
        for (const { farm } of sides) farm.subscribers.delete(`alice@${DOMAIN}`)
        break
      case "add user":
        for (const { farm } of sides) farm.addUser("alice", "secret")
        break
      case "change password":
        for (const { farm } of sides) farm.addUser("alice", "changed")
        break
      case "refuse work":
        for (const { node } of sides) node.refusal = each.on ? "this node is draining" : undefined
        break
      case "fault":
        for (const { farm } of sides) farm.storeFault = each.on ? "unavailable" : undefined
    }
    assert.deepEqual(stateOf(sides[0]!), stateOf(sides[1]!))
  }
}

test("whatever phones do, a node that knows their requests says, stores and asks what one does that does not", () => {
  const quick: Tally = new Map()
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), (steps) => play(steps, quick)),
    { seed: 3261, numRuns: 300 },
  )
  for (const kind of ["REGISTER 200", "REGISTER 401", "OPTIONS 200", "repetition", "stranger's REGISTER 401"])
    assert.ok((quick.get(kind) ?? 0) > 50, `of ${kind}, only ${quick.get(kind)} were known: little was shown`)
})
