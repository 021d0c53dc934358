import { type Appointed, Timetable } from "../kit/deadlines.ts"
import type { Instant } from "../kit/time.ts"

/** Something to be done at its time. */
export interface Appointment {
  readonly run: () => void
}

interface Entry extends Appointment {
  /** Where it stands, until it is due. */
  appointed: Appointed<Entry> | undefined
  isCancelled: boolean
}

/** The one deadline of a machine that waits for many things, each of which knows what to do then. */
export class Schedule {
  readonly #timetable = new Timetable<Entry>()

  get next(): Instant {
    return this.#timetable.next
  }

  at(when: Instant, run: () => void): Appointment {
    const entry: Entry = { run, appointed: undefined, isCancelled: false }
    entry.appointed = this.#timetable.set(entry, when, undefined)
    return entry
  }

  /** `appointment`: what `at` gave. */
  cancel(appointment: Appointment | undefined): void {
    if (appointment === undefined) return
    const entry = appointment as Entry
    entry.isCancelled = true
    this.#timetable.drop(entry.appointed)
  }

  /** Runs what is due; what that plans for `now` or earlier waits for the next call, so that this one ends. */
  runDue(now: Instant): void {
    if (this.#timetable.next > now) return
    const due: Entry[] = []
    for (let each = this.#timetable.takeDue(now); each; each = this.#timetable.takeDue(now)) due.push(each)
    for (const each of due) if (!each.isCancelled) each.run()
  }
}
