import type { Population } from "./population.ts"
import { EVENT } from "./population.ts"
import type { LeanRecords } from "./records.ts"
import { type Journey, travel } from "./travel.ts"

// The overlay's requests (RFC 6940 §6.2.1): five sends, three seconds apart, never longer than 15 s.
const SENDS = 5
const AGAIN = 3_000
const LIFETIME = 15_000

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

  constructor(population: Population, records: LeanRecords) {
    this.#population = population
    this.#records = records
  }

  ask(): void {
    const { roster, random, now } = this.#population
    const origin = roster.peer(Math.floor(roster.count * random.next()))
    const record = Math.floor(this.#records.spots.length * random.next())
    this.asked++
    this.#population.post.note(now, EVENT.asked, origin, record)
    this.#send({ origin, record, begun: now, sends: 0, isDone: false })
  }

  #send(question: Question): void {
    const { roster } = this.#population
    if (question.isDone || !roster.isUp(question.origin)) return this.#leave(question)
    const age = this.#population.now - question.begun
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
    travel(this.#population, {
      method: "fetch",
      target: this.#records.spots[question.record]!,
      at: question.origin,
      path: [],
      arrived: (journey) => this.#found(question, journey),
      lost: () => undefined,
    })
  }

  /** Whoever asked is gone, and so is the question. */
  #leave(question: Question): void {
    if (question.isDone) return
    question.isDone = true
    this.asked--
  }

  #found(question: Question, { at, path }: Journey): void {
    const { roster, latency, random } = this.#population
    // A peer that has come in asks the holders after it before it says that there is nothing.
    const has = this.#records.isHeldBy(question.record, at)
    const others = has ? [] : roster.holders(at + 0.5, 2)
    const knows = has || others.some((rank) => this.#records.isHeldBy(question.record, rank))
    let way = has || others.length === 0 ? 0 : this.#population.roundTrip(at, others[0]!)
    const isOwner = roster.holders(this.#records.spots[question.record]!, 1)[0] === at
    const back = [at, ...path.toReversed()]
    for (let i = 1; i < back.length; i++)
      way += latency.between(back[i - 1]!, back[i]!) + latency.extra(random)
    this.#population.in(way, () => {
      if (question.isDone) return
      if (!roster.isUp(question.origin)) return this.#leave(question)
      if (back.some((rank) => !roster.isUp(rank))) return
      question.isDone = true
      this.answered++
      if (!knows || (!isOwner && !has)) this.wrong++
      else if (!isOwner) this.displaced++
      this.hops.push(path.length)
      this.times.push(this.#population.now - question.begun)
      this.#population.post.note(this.#population.now, EVENT.answered, question.origin, at)
    })
  }
}

interface Question {
  readonly origin: number
  readonly record: number
  readonly begun: number
  sends: number
  isDone: boolean
}
