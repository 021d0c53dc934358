import type { Order } from "../protocol.ts"

/** What one kind of phone does with its slot: a phone's place among those that wait for answers. */
export interface Script {
  prepare?(): Promise<void>
  /** False where there is nothing more to do. */
  begin(slot: number): boolean
  answered(slot: number, status: number, text: string): void
  /** A request came. */
  asked?(text: string): void
}

/** What a script may do. */
export interface Line {
  readonly order: Order
  challenges: number
  probes: number
  probesRefused: number
  nextUser(): number | undefined
  /** For the slot's next request; answers to earlier ones are late from now on. */
  branch(slot: number): string
  /** Repeated until an answer comes. */
  ask(slot: number, text: string): void
  say(text: string): void
  complain(what: string): void
  /** The answer that the user waits for is here. */
  measure(slot: number): void
  finished(slot: number): void
}

/** How often a wrong password is tried: one time in so many. */
export const PROBE_EVERY = 500

const NONCE = 'nonce="'

/** Of a challenge. */
export function nonceOf(text: string): string | undefined {
  const at = text.indexOf(NONCE)
  if (at < 0) return undefined
  return text.slice(at + NONCE.length, text.indexOf('"', at + NONCE.length))
}

export const firstLine = (text: string): string => text.slice(0, text.indexOf("\r\n"))
