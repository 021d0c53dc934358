import type { Cryptography } from "../identity/certificate.ts"
import { PROVISIONER, REGISTRAR } from "../identity/roles.ts"
import { fromUtf8, toUtf8 } from "../kit/bytes.ts"
import { type Machine, NOTHING } from "../kit/machine.ts"
import { type Instant, NEVER } from "../kit/time.ts"
import type { Overlay, Ticket, ValueToStore, VerifiedValue } from "../overlay/interface.ts"
import type { ResourceId } from "../reload/header.ts"
import type { KindId } from "../reload/stored-data.ts"
import { SIP_BINDINGS, SUBSCRIBER, SUBSCRIBER_INDEX } from "../storage/kinds.ts"
import { bindingsToStore, type OverlayAnswer, type OverlayQuestion, readBindings } from "./fabric-stores.ts"
import { INDEX_ENTRY, INDEX_SHARDS, indexShardName, indexShardOf } from "./subscriber-index.ts"
import { type FabricKey, sealSubscriber } from "./subscriber-values.ts"
import { Tickets } from "./tickets.ts"

/** Digest secrets of one user, to be put into the fabric. `name` is `alice@example.org`. */
export interface UserToPut {
  readonly name: string
  readonly ha1: { readonly md5: string; readonly sha256: string }
}

export type ProvisioningCommand =
  | {
      readonly kind: "put-users"
      readonly mode: "add" | "import" | "change-password"
      readonly users: readonly UserToPut[]
    }
  | { readonly kind: "remove-user"; readonly name: string }
  | { readonly kind: "list-users" }

export type ProvisioningInput =
  | { readonly kind: "command"; readonly ticket: Ticket; readonly command: ProvisioningCommand }
  | OverlayAnswer

export type ProvisioningResult =
  | { readonly kind: "users-put"; readonly count: number }
  | { readonly kind: "user-removed"; readonly name: string }
  | { readonly kind: "users"; readonly names: readonly string[] }
  | {
      readonly kind: "refused"
      readonly code: "user-exists" | "no-such-user" | "unavailable"
      readonly cause: string
    }

export type ProvisioningEffect =
  | OverlayQuestion
  | { readonly kind: "provisioned"; readonly ticket: Ticket; readonly result: ProvisioningResult }

export interface ProvisioningSettings {
  readonly self: Parameters<typeof bindingsToStore>[0]
  readonly overlay: Pick<Overlay, "resourceId">
  readonly cryptography: Cryptography
  readonly fabricKeys: () => readonly FabricKey[]
  /** Of this node: what its signature may write. */
  readonly roles: readonly string[]
}

/** Questions that one command keeps open at a time: enough to fill the links, few enough to stay fair. */
const OPEN_QUESTIONS = 48

/** Entries of the index in one store: with the longest names it stays below 64 KiB. */
const MOST_ENTRIES = 100

/** About 68 years: users stay until they are removed. */
const FOREVER = 0x7fff_ffff

type Question =
  | {
      readonly kind: "fetch"
      readonly resource: ResourceId
      readonly kindId: KindId
      readonly judge: Judgement
    }
  | { readonly kind: "store"; readonly resource: ResourceId; readonly values: readonly ValueToStore[] }

/** What an answer leads to: nothing more, an end of the whole job, or both phases going on. */
type Judgement = (values: readonly VerifiedValue[]) => ProvisioningResult | undefined

/** A command under way: phases of questions, each begun when the one before is all answered. */
interface Job {
  readonly ticket: Ticket
  readonly queue: Question[]
  open: number
  /** The phases still to come, each made when its turn has come. */
  readonly phases: (() => readonly Question[])[]
  readonly finish: () => ProvisioningResult
  ended: boolean
}

/** Puts users into the fabric, takes them out, and lists them. */
export class Provisioning implements Machine<ProvisioningInput, ProvisioningEffect> {
  readonly deadline: Instant = NEVER
  readonly #settings: ProvisioningSettings
  readonly #tickets: Tickets<{ readonly job: Job; readonly question: Question }>

  constructor(settings: ProvisioningSettings, owner: number) {
    this.#settings = settings
    this.#tickets = new Tickets(owner)
  }

  handle(input: ProvisioningInput, now: Instant): readonly ProvisioningEffect[] {
    if (input.kind === "command") {
      const { ticket, command } = input
      const result = this.#hindrance(command)
      if (result !== undefined) return [{ kind: "provisioned", ticket, result }]
      return this.#advance(this.#begin(ticket, command, now))
    }
    const pending = this.#tickets.redeem(input.ticket)
    if (pending === undefined || pending.job.ended) return NOTHING
    const { job, question } = pending
    job.open--
    const end = this.#judge(question, input)
    return end === undefined ? this.#advance(job) : this.#end(job, end)
  }

  expire(): readonly ProvisioningEffect[] {
    return NOTHING
  }

  /** What this node could not carry through, whatever the fabric said: refused before anything is written. */
  #hindrance(command: ProvisioningCommand): ProvisioningResult | undefined {
    if (command.kind === "list-users") return undefined
    const { roles, fabricKeys } = this.#settings
    if (!roles.includes(PROVISIONER)) return lacks(PROVISIONER, "users can be changed")
    if (command.kind === "put-users" && fabricKeys().length === 0)
      return { kind: "refused", code: "unavailable", cause: NO_KEY }
    return undefined
  }

  #judge(question: Question, answer: OverlayAnswer): ProvisioningResult | undefined {
    const { result } = answer
    if (result.kind === "failed") return { kind: "refused", code: "unavailable", cause: result.cause }
    if (question.kind === "fetch" && result.kind === "found")
      return question.judge(result.values.get(question.kindId) ?? [])
    return undefined
  }

  #begin(ticket: Ticket, command: ProvisioningCommand, now: Instant): Job {
    const job = { ticket, queue: [], open: 0, ended: false }
    switch (command.kind) {
      case "put-users":
        return { ...job, ...this.#put(command.users, command.mode) }
      case "remove-user":
        return { ...job, ...this.#remove(command.name, now) }
      case "list-users":
        return { ...job, ...this.#list() }
    }
  }

  #put(users: readonly UserToPut[], mode: "add" | "import" | "change-password") {
    const checks = mode === "import" ? [] : [() => users.map(({ name }) => this.#check(name, mode === "add"))]
    const records = () => users.map((user) => this.#storeSubscriber(user))
    const index = () =>
      mode === "change-password"
        ? []
        : this.#storeIndex(
            users.map(({ name }) => name),
            true,
          )
    return {
      phases: [...checks, records, index],
      finish: (): ProvisioningResult => ({ kind: "users-put", count: users.length }),
    }
  }

  #remove(name: string, now: Instant) {
    let newest = 0
    const { overlay, roles } = this.#settings
    const resource = overlay.resourceId(name)
    const readVersions: Question = {
      kind: "fetch",
      resource,
      kindId: SIP_BINDINGS.id,
      judge(values) {
        for (const { bindings, tombstones, clearedBefore } of readBindings(values).entries)
          newest = Math.max(
            newest,
            clearedBefore,
            ...[...bindings, ...tombstones].map((each) => each.version),
          )
        const mayClear = newest === 0 || roles.includes(REGISTRAR)
        return mayClear ? undefined : lacks(REGISTRAR, `the registrations of ${name} can be removed too`)
      },
    }
    // A removed user must ring nowhere: whatever any edge wrote of him is cleared with him.
    const clear = (): ValueToStore[] => {
      if (newest === 0) return []
      const clearedBefore = Math.max(Math.floor(now), newest) + 1
      return [bindingsToStore(this.#settings.self, { bindings: [], tombstones: [], clearedBefore }, now)]
    }
    const gone = { model: "single", exists: false, value: new Uint8Array() } as const
    const removal = { kind: SUBSCRIBER.id, value: gone, lifetime: FOREVER }
    return {
      phases: [
        () => [this.#check(name, false), readVersions],
        () => [{ kind: "store", resource, values: [removal, ...clear()] } as const],
        () => this.#storeIndex([name], false),
      ],
      finish: (): ProvisioningResult => ({ kind: "user-removed", name }),
    }
  }

  #list() {
    const names: string[] = []
    const shard = (number: number): Question => ({
      kind: "fetch",
      resource: this.#settings.overlay.resourceId(indexShardName(number)),
      kindId: SUBSCRIBER_INDEX.id,
      judge(values) {
        for (const { data } of values)
          if (data.value.model === "dictionary" && data.value.exists)
            names.push(fromUtf8(data.value.key) ?? "?")
        return undefined
      },
    })
    return {
      phases: [() => Array.from({ length: INDEX_SHARDS }, (_, number) => shard(number))],
      finish: (): ProvisioningResult => ({ kind: "users", names: names.sort() }),
    }
  }

  #check(name: string, mustBeNew: boolean): Question {
    return {
      kind: "fetch",
      resource: this.#settings.overlay.resourceId(name),
      kindId: SUBSCRIBER.id,
      judge(values) {
        const exists = values.some(({ data }) => data.value.exists)
        if (exists && mustBeNew)
          return refuse("user-exists", `user ${name} exists; "carillon user passwd" changes the password`)
        if (!exists && !mustBeNew)
          return refuse("no-such-user", `there is no user ${name}; "carillon user list" shows all`)
        return undefined
      },
    }
  }

  #storeSubscriber({ name, ha1 }: UserToPut): Question {
    const { cryptography, fabricKeys, overlay } = this.#settings
    const value = sealSubscriber(cryptography, fabricKeys().at(-1)!, name, ha1)
    const values = [
      { kind: SUBSCRIBER.id, value: { model: "single", exists: true, value }, lifetime: FOREVER } as const,
    ]
    return { kind: "store", resource: overlay.resourceId(name), values }
  }

  /** One store a shard; more only where its names would make a message too large. */
  #storeIndex(names: readonly string[], exists: boolean): readonly Question[] {
    const { cryptography, overlay } = this.#settings
    const shards = Map.groupBy(names, (name) => indexShardOf(cryptography, name))
    return [...shards].flatMap(([shard, members]) =>
      inParts(members, MOST_ENTRIES).map((part) => ({
        kind: "store" as const,
        resource: overlay.resourceId(indexShardName(shard)),
        values: part.map((name) => indexEntry(name, exists)),
      })),
    )
  }

  #advance(job: Job): readonly ProvisioningEffect[] {
    while (job.open === 0 && job.queue.length === 0) {
      const phase = job.phases.shift()
      if (phase === undefined) return this.#end(job, job.finish())
      job.queue.push(...[...phase()].reverse())
    }
    const questions: OverlayQuestion[] = []
    while (job.open < OPEN_QUESTIONS && job.queue.length > 0) {
      const question = job.queue.pop()!
      job.open++
      const ticket = this.#tickets.issue({ job, question })
      const { resource } = question
      questions.push(
        question.kind === "fetch"
          ? { kind: "fetch", ticket, resource, wanted: [{ kind: question.kindId }] }
          : { kind: "store", ticket, resource, values: question.values },
      )
    }
    return questions
  }

  #end(job: Job, result: ProvisioningResult): readonly ProvisioningEffect[] {
    job.ended = true
    return [{ kind: "provisioned", ticket: job.ticket, result }]
  }
}

const indexEntry = (name: string, exists: boolean): ValueToStore => ({
  kind: SUBSCRIBER_INDEX.id,
  value: {
    model: "dictionary",
    key: toUtf8(name),
    exists,
    value: exists ? INDEX_ENTRY : new Uint8Array(),
  },
  lifetime: FOREVER,
})

const inParts = <T>(all: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, part) => all.slice(part * size, (part + 1) * size))

const NO_KEY = "this node has no fabric key to seal passwords with; enrol it again, or ask another node"

/** `what` cannot be done here. */
const lacks = (role: string, what: string): ProvisioningResult => ({
  kind: "refused",
  code: "unavailable",
  cause: `this node has no role ${role}, by which ${what}; run the command against a node that has it, see "carillon status"`,
})

const refuse = (code: "user-exists" | "no-such-user", cause: string): ProvisioningResult => ({
  kind: "refused",
  code,
  cause,
})
