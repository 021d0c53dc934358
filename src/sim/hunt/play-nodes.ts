import type { Hashes } from "../../core/kit/crypto.ts"
import { type Duration, seconds } from "../../core/kit/time.ts"
import type { NodeAnswer } from "../../core/node/interface.ts"
import { resourceIdOf } from "../../core/reload/message.ts"
import { SUBSCRIBER } from "../../core/storage/kinds.ts"
import { copiesComplaint, living, ringComplaint, ringsComplaint, valuesOn } from "../checkers.ts"
import { type Attempt, Model } from "../model.ts"
import type { SimHost } from "../sim-host.ts"
import type { SimPhone } from "../sim-phone.ts"
import { dial, hangUp, phoneOf, register, talk } from "../telephony.ts"
import { World } from "../world.ts"
import { Faults } from "./faults.ts"
import { NOTICED, settle } from "./settle.ts"
import { PARTING, type Step, type Story } from "./story.ts"

const CONTACTS = 3
/** What a user is in the model, who has no other text. */
const THERE = "there"

/** Plays a story of whole nodes and phones; says what is amiss, or undefined. */
export function playNodes(story: Story, hashes: Hashes, watch?: (line: string) => void): string | undefined {
  return new NodePlay(story, hashes, watch).play()
}

/** A story of nodes as it is played: users come and go, phones register and call, and the model knows who ought to be there. */
class NodePlay {
  readonly world: World
  readonly model = new Model()
  readonly faults: Faults<SimHost>
  readonly #story: Story
  readonly #hashes: Hashes
  /** Whether all parts of the farm can always speak to each other: then no look-up may be behind. */
  readonly #isWhole: boolean
  readonly #phones = new Map<string, SimPhone>()
  /** How many answers to REGISTER a phone has, once the last one is answered. */
  readonly #registered = new Map<SimPhone, number>()
  readonly #leaving = new Set<SimHost>()
  readonly #underWay = new Map<Attempt, SimHost>()
  #complaint: string | undefined

  constructor(story: Story, hashes: Hashes, watch?: (line: string) => void) {
    this.#story = story
    this.#hashes = hashes
    this.#isWhole = !story.steps.some((step) => PARTING.has(step.do) || step.do === "skew")
    this.world = new World(story.seed, { nodes: story.peers }, hashes, watch)
    this.faults = new Faults<SimHost>(this.world, {
      all: () => this.world.hosts.filter((host) => !this.#leaving.has(host)),
      join: () => this.world.join(),
      // All that it knows itself may have died meanwhile, and nobody may know it.
      restart: (host) => host.start(undefined, this.world.shuffle(this.world.alive).slice(0, CONTACTS)),
      isPart: ({ health }) => health.state !== "joining",
      mourn: () => this.#mourn(),
    })
  }

  play(): string | undefined {
    const begun = settle(this.world, "at the beginning", () => ringComplaint(this.world), seconds(60))
    if (begun !== undefined) return begun
    for (const [index, step] of this.#story.steps.entries()) {
      this.#perform(step)
      this.#complaint ??= ringsComplaint(this.world)
      if (this.#complaint !== undefined) return `step ${index} (${step.do}): ${this.#complaint}`
    }
    this.faults.end()
    this.world.run(NOTICED)
    return (
      settle(this.world, "at rest", () => ringComplaint(this.world)) ??
      settle(this.world, "at rest", () => copiesComplaint(this.world)) ??
      this.#disagreement() ??
      this.#silence() ??
      ringsComplaint(this.world) ??
      this.#complaint
    )
  }

  #perform(step: Step): void {
    if (this.faults.perform(step)) {
      if (step.do === "skew")
        this.model.skew = Math.max(this.model.skew, 2 * Math.abs(step.milliseconds)) as Duration
      return
    }
    switch (step.do) {
      case "wait":
        return this.world.run(seconds(step.seconds))
      case "leave":
        return this.#leave(step.who)
      case "write":
        return this.#write(step)
      case "read":
        return this.#read(step)
      case "register":
        return this.#register(step)
      case "call": {
        const [caller, callee] = [this.#phones.get(step.from), this.#phones.get(step.to)]
        if (caller && callee && caller !== callee) dial(this.world, caller, callee)
      }
    }
  }

  #leave(who: number): void {
    const host = this.faults.alive(who)
    if (host === undefined || this.world.alive.length <= 3) return
    // It may take its time; meanwhile nothing else happens to it, since it is no longer one of the cast.
    this.#leaving.add(host)
    const isAlone = host.node.status(this.world.now).nodes.length === 1
    host.command({ kind: "drain" }, () => {
      host.crash("reset")
      // Cut off from all others, it had nobody to hand over to what it alone was told.
      if (isAlone) this.#mourn()
    })
  }

  /** Adds a user, or removes one. */
  #write({ who, name, text }: Extract<Step, { do: "write" }>): void {
    const host = this.faults.alive(who)
    if (host === undefined) return
    const attempt = this.model.begin(name, text === undefined ? undefined : THERE, this.world.now)
    this.#underWay.set(attempt, host)
    const done = ({ kind }: NodeAnswer) => {
      attempt.isAcknowledged = kind === "users-put" || kind === "user-removed"
      this.#end(attempt)
    }
    if (text === undefined) host.command({ kind: "remove-user", name }, done)
    else host.command({ kind: "put-users", mode: "import", users: [{ name, password: name }] }, done)
  }

  #end(attempt: Attempt): void {
    attempt.endedAt = this.world.now
    this.#underWay.delete(attempt)
  }

  #read({ who, name }: Extract<Step, { do: "read" }>): void {
    const host = this.faults.alive(who)
    if (host === undefined) return
    const since = this.world.now
    host.command({ kind: "lookup", aor: this.#aorOf(name) }, (answer) => {
      if (answer.kind !== "found" || !this.#isWhole || this.model.allows(name, textOf(answer), since)) return
      this.#complaint ??= `${host.host} ${answer.user ? "knows" : "does not know"} ${name}, which is older than what was acknowledged before`
    })
  }

  #register({ who, name }: Extract<Step, { do: "register" }>): void {
    const host = this.faults.alive(who)
    if (host === undefined) return
    const phone = this.#phoneOf(name, host)
    if (this.#isRegistering(phone)) return
    phone.use(host)
    this.#registered.set(phone, phone.all("registered").length + 1)
    phone.tell({ kind: "register", seconds: 3_600 })
  }

  /** A phone waits for the final answer before it registers again. RFC 3261 §10.2. */
  #isRegistering(phone: SimPhone): boolean {
    return phone.all("registered").length < (this.#registered.get(phone) ?? 0)
  }

  /** Every second one speaks TCP. */
  #phoneOf(name: string, host: SimHost): SimPhone {
    const known = this.#phones.get(name)
    if (known !== undefined) return known
    const transport = this.#phones.size % 2 === 0 ? "UDP" : "TCP"
    const phone = phoneOf(this.world, host, name, { transport })
    this.#phones.set(name, phone)
    return phone
  }

  readonly #aorOf = (name: string) => `${name}@${this.world.domain}`

  /** What no living disk has any more is beyond the copies. */
  #mourn(): void {
    const { world, model } = this
    for (const [attempt, host] of this.#underWay) if (!host.alive) this.#end(attempt)
    const held = new Map<string, Set<string | undefined>>()
    for (const host of world.alive)
      for (const { put, data } of valuesOn(host, world.now).values()) {
        if (put.kindId !== SUBSCRIBER.id) continue
        const texts = held.get(put.resource) ?? new Set()
        held.set(put.resource, texts.add(data.value.exists ? THERE : undefined))
      }
    for (const name of model.names()) {
      const texts = held.get(resourceIdOf(this.#hashes, this.#aorOf(name))) ?? new Set([undefined])
      if (![...texts].some((text) => model.allows(name, text))) model.giveUp(name, world.now)
    }
  }

  /** Through any node every user is known, or not, as the model says. */
  #disagreement(): string | undefined {
    const { world, model } = this
    for (const name of model.names()) {
      const host = world.pick(living(world))
      const ask = () => {
        const answer = world.command(host, { kind: "lookup", aor: this.#aorOf(name) })
        return answer.kind === "found"
          ? answer
          : `${host.host} cannot look ${name} up: ${JSON.stringify(answer)}`
      }
      // Where all holders of a place have just died, the next ones rightly say for a minute that they do not know.
      let found = ask()
      const waited = settle(this.world, "at rest", () => {
        found = ask()
        return typeof found === "string" ? found : undefined
      })
      if (typeof found === "string") return waited ?? found
      if (!model.allows(name, textOf(found)))
        return `${host.host} ${found.user ? "knows" : "does not know"} ${name}, who ought to be ${model.expected(name)}`
    }
    return undefined
  }

  /** Whoever surely is a user registers, is called by the next one, and both hear the end of the call. */
  #silence(): string | undefined {
    const { world, model } = this
    const users = [...this.#phones].filter(
      ([name]) => model.allows(name, THERE) && !model.allows(name, undefined),
    )
    const isAnyRegistering = () => users.some(([, phone]) => this.#isRegistering(phone))
    const waited = settle(this.world, "at rest", () =>
      isAnyRegistering() ? "a REGISTER has no end" : undefined,
    )
    if (waited !== undefined) return waited
    for (const [name, phone] of users) {
      phone.use(world.pick(living(world)))
      const status = register(world, phone)
      if (status !== 200) return `the phone of ${name} registers with ${status}`
    }
    for (const [index, [name, caller]] of users.entries()) {
      const [other, callee] = users[(index + 1) % users.length]!
      if (caller === callee) continue
      const call = talk(world, caller, callee)
      if (typeof call === "number") return `${name} calls ${other} and gets ${call}`
      const problem = hangUp(world, call, world.pick(["caller", "callee"]))
      if (problem !== undefined) return problem
    }
    return undefined
  }
}

const textOf = ({ user }: { readonly user: boolean }) => (user ? THERE : undefined)
