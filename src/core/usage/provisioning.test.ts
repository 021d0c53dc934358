import assert from "node:assert/strict"
import { describe, test } from "node:test"
import {
  cryptography,
  FabricRecords,
  isQuestion,
  NO_ANSWER,
  NODES,
  NOW,
  verified,
} from "../../../test/support/fabric-records.ts"
import { toUtf8 } from "../kit/bytes.ts"
import { fromHex } from "../kit/hex.ts"
import { after, type Instant, milliseconds } from "../kit/time.ts"
import { mergeBindings } from "../service/registrar/bindings.ts"
import type { Binding } from "../service/stores.ts"
import { SIP_BINDINGS, SUBSCRIBER, SUBSCRIBER_INDEX } from "../storage/kinds.ts"
import { encode } from "../wire/codec.ts"
import { BindingEntryValue } from "./binding-values.ts"
import { type OverlayQuestion, readBindings } from "./fabric-stores.ts"
import {
  Provisioning,
  type ProvisioningCommand,
  type ProvisioningEffect,
  type ProvisioningResult,
} from "./provisioning.ts"
import { indexShardName, indexShardOf } from "./subscriber-index.ts"
import { unsealSubscriber } from "./subscriber-values.ts"

const OLD_KEY = { epoch: 1, key: new Uint8Array(32).fill(1) }
const KEY = { epoch: 2, key: new Uint8Array(32).fill(2) }
const ALICE = "alice@example.org"

const userOf = (name: string, digit = "a") => ({
  name,
  ha1: { md5: digit.repeat(32), sha256: digit.repeat(64) },
})
const putOf = (mode: "add" | "import" | "change-password", ...names: readonly string[]) =>
  ({ kind: "put-users", mode, users: names.map((name) => userOf(name)) }) as const

class Bench {
  readonly records = new FabricRecords()
  readonly provisioning: Provisioning
  /** Questions that the overlay has not answered yet. */
  readonly open: OverlayQuestion[] = []
  readonly results: ProvisioningResult[] = []
  readonly asked: OverlayQuestion[] = []
  mostOpen = 0
  now: Instant = NOW

  constructor(roles: readonly string[] = ["registrar", "provisioner"], keys = [OLD_KEY, KEY]) {
    const fabricKeys = () => keys
    this.provisioning = new Provisioning(
      { self: NODES[0], overlay: this.records, cryptography, fabricKeys, roles },
      1,
    )
  }

  begin(command: ProvisioningCommand): void {
    this.take(this.provisioning.handle({ kind: "command", ticket: 99, command }, this.now))
  }

  /** The overlay answers, in the order given by `pick`. */
  answerAll(pick: (open: readonly OverlayQuestion[]) => number = () => 0): void {
    while (this.open.length > 0) {
      const [question] = this.open.splice(pick(this.open), 1)
      this.take(this.provisioning.handle(this.records.answer(question!), this.now))
    }
  }

  fail(question: OverlayQuestion): void {
    this.open.splice(this.open.indexOf(question), 1)
    const kind = question.kind === "store" ? "stored" : "fetched"
    this.take(this.provisioning.handle({ kind, ticket: question.ticket, result: NO_ANSWER }, this.now))
  }

  /** The one result of a command that the overlay answers in full. */
  run(command: ProvisioningCommand): ProvisioningResult {
    this.begin(command)
    this.answerAll()
    assert.equal(this.results.length, 1)
    return this.results.pop()!
  }

  take(effects: readonly ProvisioningEffect[]): void {
    for (const effect of effects) {
      if (isQuestion(effect)) this.open.push(effect)
      else {
        assert.equal(effect.ticket, 99)
        this.results.push(effect.result)
      }
    }
    this.asked.push(...effects.filter(isQuestion))
    this.mostOpen = Math.max(this.mostOpen, this.open.length)
  }

  secretsOf(name: string) {
    const [stored] = this.records.valuesOf(name, SUBSCRIBER.id)
    return stored?.value.exists ? unsealSubscriber(cryptography, [KEY], name, stored.value.value) : undefined
  }

  list(): readonly string[] {
    const listed = this.run({ kind: "list-users" })
    assert.ok(listed.kind === "users")
    return listed.names
  }
}

describe("put-users", () => {
  test("adds users, sealed with the newest key, for good, and into the index", () => {
    const bench = new Bench()
    assert.deepEqual(bench.run(putOf("add", ALICE, "bob@example.org")), { kind: "users-put", count: 2 })
    assert.deepEqual(bench.secretsOf(ALICE), userOf(ALICE).ha1)
    assert.ok(bench.records.valuesOf(ALICE, SUBSCRIBER.id)[0]!.lifetime > 2_000_000_000)
    const shard = indexShardName(indexShardOf(cryptography, ALICE))
    const [entry] = bench.records.valuesOf(shard, SUBSCRIBER_INDEX.id)
    const value = { model: "dictionary", key: toUtf8(ALICE), exists: true, value: Uint8Array.of(1) }
    assert.deepEqual(entry?.value, value)
  })

  test("in mode add refuses a user who exists, and stores nothing", () => {
    const bench = new Bench()
    bench.run(putOf("add", ALICE))
    const asked = bench.asked.length
    const refused = bench.run({ kind: "put-users", mode: "add", users: [userOf(ALICE, "f")] })
    assert.deepEqual(refused, {
      kind: "refused",
      code: "user-exists",
      cause: `user ${ALICE} exists; "carillon user passwd" changes the password`,
    })
    assert.deepEqual(bench.secretsOf(ALICE), userOf(ALICE).ha1)
    assert.ok(bench.asked.slice(asked).every(({ kind }) => kind === "fetch"))
  })

  test("in mode import overwrites users who exist, and adds the others", () => {
    const bench = new Bench()
    bench.run(putOf("add", ALICE))
    const users = [userOf(ALICE, "f"), userOf("bob@example.org")]
    assert.deepEqual(bench.run({ kind: "put-users", mode: "import", users }), {
      kind: "users-put",
      count: 2,
    })
    assert.deepEqual(bench.secretsOf(ALICE), userOf(ALICE, "f").ha1)
    assert.deepEqual(bench.list(), [ALICE, "bob@example.org"])
  })

  test("in mode change-password wants a user who exists", () => {
    const bench = new Bench()
    const command = { kind: "put-users", mode: "change-password", users: [userOf(ALICE, "f")] } as const
    assert.deepEqual(bench.run(command), {
      kind: "refused",
      code: "no-such-user",
      cause: `there is no user ${ALICE}; "carillon user list" shows all`,
    })
    assert.equal(bench.secretsOf(ALICE), undefined)
    bench.run(putOf("add", ALICE))
    assert.deepEqual(bench.run(command), { kind: "users-put", count: 1 })
    assert.deepEqual(bench.secretsOf(ALICE), userOf(ALICE, "f").ha1)
  })

  test("of nobody is done at once", () => {
    const bench = new Bench()
    for (const mode of ["add", "import", "change-password"] as const)
      assert.deepEqual(bench.run(putOf(mode)), { kind: "users-put", count: 0 })
    assert.equal(bench.asked.length, 0)
  })

  test("keeps at most 48 questions open, in whatever order they are answered, and asks each once", () => {
    const names = Array.from({ length: 500 }, (_, i) => `user${String(i).padStart(3, "0")}@example.org`)
    for (const pick of [() => 0, (open: readonly OverlayQuestion[]) => open.length - 1]) {
      const bench = new Bench()
      bench.begin(putOf("import", ...names))
      assert.equal(bench.open.length, 48)
      bench.answerAll(pick)
      assert.deepEqual(bench.results.splice(0), [{ kind: "users-put", count: 500 }])
      assert.equal(bench.mostOpen, 48)
      assert.equal(new Set(bench.asked.map(({ ticket }) => ticket)).size, bench.asked.length)
      assert.deepEqual(bench.list(), names)
    }
  })

  test("ends once, with the cause, when the overlay fails, whatever else is still open", () => {
    const bench = new Bench()
    bench.begin(putOf("import", ...Array.from({ length: 100 }, (_, i) => `user${i}@example.org`)))
    const [first, second] = bench.open
    bench.fail(first!)
    assert.deepEqual(bench.results, [{ kind: "refused", code: "unavailable", cause: NO_ANSWER.cause }])
    bench.fail(second!)
    bench.answerAll()
    assert.equal(bench.results.length, 1)
    assert.equal(bench.asked.length, 48)
  })

  test("under way does not hold up another command", () => {
    const bench = new Bench()
    bench.begin(putOf("import", ALICE))
    const [waiting] = bench.open.splice(0)
    assert.deepEqual(bench.run(putOf("import", "bob@example.org")), { kind: "users-put", count: 1 })
    bench.take(bench.provisioning.handle(bench.records.answer(waiting!), NOW))
    bench.answerAll()
    assert.deepEqual(bench.results, [{ kind: "users-put", count: 1 }])
  })
})

describe("list-users", () => {
  test("merges all shards into one list in order, without removed users", () => {
    const bench = new Bench()
    const names = ["zoe", "bob", "alice", "carol"].map((user) => `${user}@example.org`)
    bench.run(putOf("add", ...names))
    bench.run({ kind: "remove-user", name: "carol@example.org" })
    const asked = bench.asked.length
    assert.deepEqual(
      bench.list(),
      ["alice", "bob", "zoe"].map((user) => `${user}@example.org`),
    )
    assert.equal(bench.asked.length - asked, 1_024)
    assert.equal(bench.mostOpen, 48)
  })

  test("that lacks a shard is no list", () => {
    const bench = new Bench()
    bench.begin({ kind: "list-users" })
    bench.fail(bench.open[47]!)
    bench.answerAll()
    assert.deepEqual(bench.results, [{ kind: "refused", code: "unavailable", cause: NO_ANSWER.cause }])
  })
})

describe("remove-user", () => {
  const binding = (contact: string, version: number): Binding => ({
    contact,
    parameters: "",
    q: 1_000,
    path: [],
    callId: "call",
    cseq: 1,
    instance: undefined,
    regId: undefined,
    transport: "UDP",
    source: "192.0.2.1:5060",
    flow: undefined,
    expires: NOW + 3_600_000,
    version,
  })

  function registerAt(bench: Bench, node: string, version: number): void {
    const entry = { bindings: [binding(`sip:a@${node}`, version)], tombstones: [], clearedBefore: 0 }
    const value = encode(BindingEntryValue, entry)
    bench.records.put(ALICE, {
      kind: SIP_BINDINGS.id,
      value: { model: "dictionary", key: fromHex(node), exists: true, value },
      lifetime: 60,
    })
  }

  const bindingsOf = (bench: Bench) =>
    mergeBindings(
      readBindings(bench.records.valuesOf(ALICE, SIP_BINDINGS.id).map(({ value }) => verified(value)))
        .entries,
      NOW,
    )

  test("takes the user out of record and index, and refuses one who is not there", () => {
    const bench = new Bench()
    bench.run(putOf("add", ALICE, "bob@example.org"))
    const command = { kind: "remove-user", name: ALICE } as const
    assert.deepEqual(bench.run(command), { kind: "user-removed", name: ALICE })
    assert.equal(bench.secretsOf(ALICE), undefined)
    assert.deepEqual(bench.list(), ["bob@example.org"])
    const refused = bench.run(command)
    assert.equal(refused.kind === "refused" && refused.code, "no-such-user")
    assert.equal(bench.records.valuesOf(ALICE, SIP_BINDINGS.id).length, 0)
  })

  test("clears the bindings of all edges, whether their clocks are ahead or behind, at any fraction of time", () => {
    for (const ahead of [-5, 0, 1, 50_000]) {
      const bench = new Bench()
      bench.run(putOf("add", ALICE))
      registerAt(bench, NODES[0], NOW - 5)
      registerAt(bench, NODES[1], NOW + ahead)
      assert.equal(bindingsOf(bench).length, 2)
      bench.now = after(NOW, milliseconds(0.75))
      bench.run({ kind: "remove-user", name: ALICE })
      assert.deepEqual(bindingsOf(bench), [])
    }
  })

  test("lets go of the user and the bindings in one store", () => {
    const bench = new Bench()
    bench.run(putOf("add", ALICE))
    registerAt(bench, NODES[1], NOW)
    bench.asked.length = 0
    bench.run({ kind: "remove-user", name: ALICE })
    const kinds = bench.asked.flatMap((asked) =>
      asked.kind === "store" ? [asked.values.map(({ kind }) => kind)] : [],
    )
    assert.deepEqual(kinds, [[SUBSCRIBER.id, SIP_BINDINGS.id], [SUBSCRIBER_INDEX.id]])
  })
})

describe("A node without the role or the key for it", () => {
  const causeOf = (result: ProvisioningResult) =>
    result.kind === "refused" && result.code === "unavailable" ? result.cause : undefined

  test("changes no users, and says which role is missing and what to do", () => {
    const bench = new Bench(["registrar", "proxy"])
    for (const command of [putOf("add", ALICE), { kind: "remove-user", name: ALICE } as const]) {
      const cause = causeOf(bench.run(command))
      assert.match(cause ?? "", /no role provisioner.*run the command against a node that has it/)
    }
    assert.deepEqual(bench.asked, [])
    assert.deepEqual(bench.list(), [])
  })

  test("removes a user who is registered nowhere, but no registrations without role registrar", () => {
    const bench = new Bench(["provisioner"])
    for (const name of [ALICE, "bob@example.org"]) bench.run(putOf("add", name))
    bench.records.put(ALICE, {
      kind: SIP_BINDINGS.id,
      value: {
        model: "dictionary",
        key: fromHex(NODES[1]),
        exists: true,
        value: encode(BindingEntryValue, { bindings: [], tombstones: [], clearedBefore: 5 }),
      },
      lifetime: 60,
    })
    const cause = causeOf(bench.run({ kind: "remove-user", name: ALICE }))
    assert.match(cause ?? "", /no role registrar.*registrations of alice@example\.org/)
    assert.notEqual(bench.secretsOf(ALICE), undefined, "nothing was written")
    const bob = { kind: "user-removed", name: "bob@example.org" }
    assert.deepEqual(bench.run({ kind: "remove-user", name: "bob@example.org" }), bob)
  })

  test("seals no passwords without a key", () => {
    const bench = new Bench(undefined, [])
    assert.match(causeOf(bench.run(putOf("add", ALICE))) ?? "", /no fabric key/)
    assert.deepEqual(bench.asked, [])
  })
})
