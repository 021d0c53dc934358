import { Deadlines } from "../kit/deadlines.ts"
import type { Instant } from "../kit/time.ts"

/** Something to be done at its time. */
export interface Appointment {
  readonly run: () => void
}

/** The one deadline of a machine that waits for many things, each of which knows what to do then. */
export class Schedule {
  readonly #deadlines = new Deadlines<Appointment>()
  #due = new Set<Appointment>()

  get next(): Instant {
    return this.#deadlines.next
  }

  at(when: Instant, run: () => void): Appointment {
    const appointment = { run }
    this.#deadlines.set(appointment, when)
    return appointment
  }

  cancel(appointment: Appointment | undefined): void {
    if (appointment === undefined) return
    this.#deadlines.delete(appointment)
    this.#due.delete(appointment)
  }

  /** Runs what is due; what that plans for `now` or earlier waits for the next call, so that this one ends. */
  runDue(now: Instant): void {
    const due = new Set<Appointment>()
    for (let each = this.#deadlines.takeDue(now); each; each = this.#deadlines.takeDue(now)) due.add(each)
    this.#due = due
    for (const each of due) each.run()
    this.#due = new Set()
  }
}
