import { beyond, gapsOfExcursion, isPlausible, ways } from "../../core/topology/chord/detours.ts"
import { type Liars, passesOn } from "./liars.ts"
import type { Population } from "./population.ts"
import { EVENT } from "./population.ts"
import type { LeanRecords } from "./records.ts"
import { type Journey, step, travel } from "./travel.ts"

// The overlay's requests (RFC 6940 §6.2.1): five sends, three seconds apart, never longer than 15 s. Each time another way;
// and its reads, `overlay/reads.ts`: from a second on also a little further on, where copies are.
const SENDS = 5
const AGAIN = 3_000
const LIFETIME = 15_000
/** A question that was sent in vain is put anew after that. */
const ASKED_ANEW = 250
const FURTHER = 1_000
const FURTHER_PATIENCE = 3_000
const FURTHER_APART = 500
/** So many holders must say the same where the responsible peer does not answer. */
const OPINIONS = 2

/** Look-ups of records by peers, and what came of them. */
export class Lookups {
  asked = 0
  answered = 0
  /** Answered with nothing though the record lives, or by a peer that neither owns nor holds it. */
  wrong = 0
  /** Answered by a holder that is not the responsible peer any more, or not yet. */
  displaced = 0
  /** No answer within 15 s, where who asked lived on. */
  failed = 0
  readonly hops: number[] = []
  readonly times: number[] = []
  readonly #population: Population
  readonly #records: LeanRecords
  readonly #liars: Liars | undefined
  /** Whether another way is tried where one brings no answer, and answers from afar are refused, as the overlay does. */
  readonly #hasRemedies: boolean

  constructor(population: Population, records: LeanRecords, liars: Liars | undefined, hasRemedies = true) {
    this.#population = population
    this.#records = records
    this.#liars = liars
    this.#hasRemedies = hasRemedies
  }

  ask(origin = this.anyPeer(), record = this.anyRecord()): void {
    const { now } = this.#population
    this.asked++
    this.#population.post.note(now, EVENT.asked, origin, record)
    const question = {
      origin,
      record,
      begun: now,
      sends: 0,
      attempts: 0,
      excursions: 0,
      holders: new Set<number>(),
      isDone: false,
    }
    this.#send(question)
    if (this.#hasRemedies) this.#population.in(FURTHER, () => this.#askFurther(question))
  }

  anyPeer(): number {
    const { roster, random } = this.#population
    return roster.peer(Math.floor(roster.count * random.next()))
  }

  anyRecord(): number {
    return Math.floor(this.#records.spots.length * this.#population.random.next())
  }

  #send(question: Question): void {
    const { roster } = this.#population
    if (question.isDone || !roster.isUp(question.origin)) return this.#leave(question)
    const age = this.#population.now - question.begun
    if (question.sends >= SENDS && this.#hasRemedies && age + ASKED_ANEW < LIFETIME) {
      question.sends = 0
      question.attempts++
      this.#population.in(ASKED_ANEW, () => question.sends === 0 && this.#send(question))
      return
    }
    if (question.sends >= SENDS || age >= LIFETIME) {
      this.failed++
      question.isDone = true
      this.#population.post.note(this.#population.now, EVENT.lost, question.origin, question.record)
      return
    }
    const turn = ++question.sends
    this.#population.in(AGAIN, () => {
      if (question.sends === turn) this.#send(question)
    })
    const tried = turn - 1 + question.attempts
    this.#setOut(question, this.#records.spots[question.record]!, tried, (journey) =>
      this.#found(question, journey),
    )
  }

  /** To a place further on, whose responsible peer may hold a copy. */
  #askFurther(question: Question): void {
    const { roster, state, machine, now } = this.#population
    if (question.isDone || !roster.isUp(question.origin) || now - question.begun >= LIFETIME) return
    const count = question.excursions++
    const [known] = question.holders
    state.sit(question.origin)
    const place =
      known !== undefined && count % 2 === 0
        ? known + 0.5
        : beyond(machine.view, this.#records.spots[question.record]!, gapsOfExcursion(count))
    this.#setOut(question, place, question.excursions, (journey) =>
      this.#foundFurther(question, journey, now),
    )
    this.#population.in(FURTHER_APART, () => this.#askFurther(question))
  }

  #setOut(question: Question, target: number, tried: number, arrived: (journey: Journey) => void): void {
    const { state, machine } = this.#population
    const { origin } = question
    const journey: Journey = {
      method: "fetch",
      target,
      at: origin,
      path: [],
      arrived,
      lost: () => undefined,
      lied: (by) => this.#lied(question, by, target),
    }
    state.sit(origin)
    const all = tried === 0 || !this.#hasRemedies ? [] : ways(machine.view, target, tried + 1)
    if (all.length === 0) travel(this.#population, journey)
    else step(this.#population, journey, all[tried % all.length]!)
  }

  /** Whoever asked is gone, and so is the question. */
  #leave(question: Question): void {
    if (question.isDone) return
    question.isDone = true
    this.asked--
  }

  #found(question: Question, { at, path }: Journey): void {
    const { roster } = this.#population
    // A peer that has come in asks the holders after it before it says that there is nothing.
    const has = this.#records.isHeldBy(question.record, at)
    const others = has ? [] : roster.holders(at + 0.5, 2)
    const knows = has || others.some((rank) => this.#records.isHeldBy(question.record, rank))
    const way = has || others.length === 0 ? 0 : this.#population.roundTrip(at, others[0]!)
    const isOwner = roster.holders(this.#records.spots[question.record]!, 1)[0] === at
    this.#goBack(question, at, path, way, () => {
      this.#end(question, at, path.length)
      if (!knows || (!isOwner && !has)) this.wrong++
      else if (!isOwner) this.displaced++
    })
  }

  #foundFurther(question: Question, { at, path }: Journey, asked: number): void {
    if (!this.#records.isHeldBy(question.record, at)) return
    this.#goBack(question, at, path, 0, () => {
      if (this.#population.now - asked > FURTHER_PATIENCE) return
      question.holders.add(at)
      if (question.holders.size >= OPINIONS) this.#end(question, at, path.length)
    })
  }

  /** One on the way answers what is not its own: that there is nothing. */
  #lied(question: Question, by: number, target: number): void {
    const { population } = { population: this.#population }
    population.in(population.roundTrip(question.origin, by) / 2, () => {
      if (question.isDone || !population.roster.isUp(question.origin)) return
      // Of what lies further on, it means nothing that somebody has nothing.
      if (target !== this.#records.spots[question.record]) return
      population.state.sit(question.origin)
      if (this.#hasRemedies && !isPlausible(population.machine.view, target, by)) return this.#send(question)
      this.#end(question, by, 1)
      this.wrong++
    })
  }

  #goBack(question: Question, at: number, path: readonly number[], wait: number, done: () => void): void {
    const { roster, latency, random } = this.#population
    const back = [at, ...path.toReversed()]
    let way = wait
    for (let i = 1; i < back.length; i++)
      way += latency.between(back[i - 1]!, back[i]!) + latency.extra(random)
    this.#population.in(way, () => {
      if (question.isDone) return
      if (!roster.isUp(question.origin)) return this.#leave(question)
      if (back.some((rank) => !roster.isUp(rank))) return
      if (back.slice(1, -1).every((rank) => passesOn(this.#liars, rank))) done()
    })
  }

  #end(question: Question, by: number, hops: number): void {
    question.isDone = true
    this.answered++
    this.hops.push(hops)
    this.times.push(this.#population.now - question.begun)
    this.#population.post.note(this.#population.now, EVENT.answered, question.origin, by)
  }
}

interface Question {
  readonly origin: number
  readonly record: number
  readonly begun: number
  sends: number
  /** How often all sends were in vain. */
  attempts: number
  /** How often it was put to a place further on. */
  excursions: number
  /** Who has answered from there. */
  readonly holders: Set<number>
  isDone: boolean
}
