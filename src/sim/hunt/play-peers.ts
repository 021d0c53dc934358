import { fromUtf8 } from "../../core/kit/bytes.ts"
import type { Hashes } from "../../core/kit/crypto.ts"
import { after, type Duration, seconds } from "../../core/kit/time.ts"
import { valuesOn } from "../checkers.ts"
import { type Attempt, Model } from "../model.ts"
import {
  answersComplaint,
  burdenComplaint,
  copiesMissing,
  ringAmiss,
  shareComplaint,
} from "../peers/peer-checkers.ts"
import { type PeerHost, textIn } from "../peers/peer-host.ts"
import { PeerWorld } from "../peers/peer-world.ts"
import { Faults } from "./faults.ts"
import { NOTICED, REST, STEP, settle } from "./settle.ts"
import { PARTING, type Step, type Story } from "./story.ts"

/** At rest a peer sends at most so many frames a second for each neighbor: probes, answers, acknowledgements. */
const FRAMES_FOR_NEIGHBOR = 12
const MOST_LINKS = 1_024

/** Plays a story of overlay peers; says what is amiss, or undefined. */
export function playPeers(story: Story, hashes: Hashes, watch?: (line: string) => void): string | undefined {
  return new PeerPlay(story, hashes, watch).play()
}

/** A story of peers as it is played, with the reference model beside it. */
export class PeerPlay {
  readonly world: PeerWorld
  readonly model = new Model()
  readonly faults: Faults<PeerHost>
  readonly #story: Story
  /** Whether all parts of the fabric can always speak to each other: then no read may be behind. */
  readonly #isWhole: boolean
  readonly #leaving = new Set<PeerHost>()
  readonly #underWay = new Map<Attempt, PeerHost>()
  #complaint: string | undefined

  constructor(story: Story, hashes: Hashes, watch?: (line: string) => void) {
    const { seed, peers, fullMeshLimit } = story
    this.#story = story
    this.#isWhole = !story.steps.some((step) => PARTING.has(step.do) || step.do === "skew")
    this.world = new PeerWorld(seed, { peers, fullMeshLimit }, hashes, watch)
    this.faults = new Faults<PeerHost>(this.world, {
      all: () => this.world.peers.filter((peer) => !this.#leaving.has(peer)),
      join: () => this.world.join(),
      restart: (peer) => this.world.restart(peer),
      isPart: ({ hasJoined }) => hasJoined,
      mourn: () => this.mourn(),
    })
  }

  play(): string | undefined {
    const begun = settle(this.world, "at the beginning", () => ringAmiss(this.world), seconds(60))
    if (begun !== undefined) return begun
    for (const [index, step] of this.#story.steps.entries()) {
      this.perform(step)
      this.#complaint ??= answersComplaint(this.world)
      if (this.#complaint !== undefined) return `step ${index} (${step.do}): ${this.#complaint}`
    }
    this.faults.end()
    return this.rest()
  }

  perform(step: Step): void {
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
      default:
        throw new Error(`a story of peers has no step "${step.do}": it is one of whole nodes`)
    }
  }

  /** All that ought to hold when nothing is wrong any more. */
  rest(): string | undefined {
    const { world, model } = this
    const resources = () => model.names().map((name) => world.alive[0]!.resource(name))
    world.run(NOTICED)
    return (
      settle(this.world, "at rest", () => ringAmiss(world)) ??
      settle(this.world, "at rest", () => shareComplaint(world, resources())) ??
      settle(this.world, "at rest", () => copiesMissing(world)) ??
      settle(this.world, "at rest", () => burdenComplaint(world, MOST_LINKS)) ??
      this.#disagreement() ??
      this.#unrest() ??
      answersComplaint(world) ??
      this.#complaint
    )
  }

  /** What no living disk has any more is beyond the copies. */
  mourn(): void {
    const { world, model } = this
    const [somebody] = world.alive
    for (const [attempt, peer] of this.#underWay) if (!peer.alive) this.#end(attempt)
    const held = new Map<string, Set<string | undefined>>()
    for (const peer of world.alive) {
      for (const { put, data } of valuesOn(peer, world.now).values()) {
        const texts = held.get(put.resource) ?? new Set()
        const { exists, value } = data.value
        held.set(put.resource, texts.add(exists ? fromUtf8(value as Uint8Array) : undefined))
      }
    }
    for (const name of model.names()) {
      const texts = held.get(somebody!.resource(name)) ?? new Set([undefined])
      if (![...texts].some((text) => model.allows(name, text))) model.giveUp(name, world.now)
    }
  }

  #leave(who: number): void {
    const peer = this.faults.alive(who)
    if (peer === undefined || this.world.alive.length <= 3) return
    // It may take its time; meanwhile nothing else happens to it, since it is no longer one of the cast.
    this.#leaving.add(peer)
    peer.leave()
    const look = () => {
      if (!peer.alive) return
      if (peer.hasLeft) peer.crash()
      else this.world.plan(STEP, look)
    }
    look()
  }

  #write({ who, name, text }: Extract<Step, { do: "write" }>): void {
    const peer = this.faults.alive(who)
    if (peer === undefined || !peer.hasJoined) return
    const attempt = this.model.begin(name, text, this.world.now)
    this.#underWay.set(attempt, peer)
    peer.store(name, text, (result) => {
      attempt.isAcknowledged = result.kind === "stored"
      this.#end(attempt)
    })
  }

  #end(attempt: Attempt): void {
    attempt.endedAt = this.world.now
    this.#underWay.delete(attempt)
  }

  #read({ who, name }: Extract<Step, { do: "read" }>): void {
    const peer = this.faults.alive(who)
    if (peer === undefined || !peer.hasJoined) return
    const since = this.world.now
    peer.fetch(name, (result) => {
      const text = textIn(result)
      if (text instanceof Error || !this.#isWhole || this.model.allows(name, text, since)) return
      this.#complaint ??= `${peer.host} reads ${text ?? "nothing"} for ${name}, which is older than what was acknowledged before`
    })
  }

  /**
   * What is read at rest, from anywhere, is what the model says. Where all holders of a place have just died, the next
   * ones rightly say for a minute that they do not know: whoever asks, asks again.
   */
  #disagreement(): string | undefined {
    const { world, model } = this
    const end = after(world.now, REST)
    for (const name of model.names()) {
      const peer = world.pick(world.alive)
      let found = this.#ask(peer, name)
      while (found instanceof Error && world.now < end) {
        world.run(STEP)
        found = this.#ask(peer, name)
      }
      if (found instanceof Error) return `${peer.host} cannot read ${name}: ${found.message}`
      if (!model.allows(name, found))
        return `${peer.host} reads ${found ?? "nothing"} for ${name}, not ${model.expected(name)}`
    }
    return undefined
  }

  #ask(peer: PeerHost, name: string): string | undefined | Error {
    let answer: { readonly text: string | undefined | Error } | undefined
    peer.fetch(name, (result) => {
      answer = { text: textIn(result) }
    })
    this.world.runUntil(() => answer !== undefined, seconds(30))
    return answer === undefined ? new Error("no answer in 30 s") : answer.text
  }

  /** At rest there is nothing to repair, so peers send little. */
  #unrest(): string | undefined {
    const { world } = this
    const before = world.alive.map(({ sent }) => sent)
    world.run(seconds(10))
    for (const [index, peer] of world.alive.entries()) {
      const rate = (peer.sent - before[index]!) / 10
      const neighbors = 2 * Math.max(3, Math.ceil(Math.log2(world.alive.length)))
      if (rate > FRAMES_FOR_NEIGHBOR * neighbors)
        return `${peer.host} sends ${Math.round(rate)} frames a second at rest`
    }
    return undefined
  }
}
