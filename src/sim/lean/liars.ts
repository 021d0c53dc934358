import type { Random } from "../../core/kit/random.ts"

/** What a peer does to what it should pass on: nothing, sends it anywhere, or answers itself that there is nothing. */
export const LIES = ["drop", "misroute", "usurp"] as const
export type Lie = (typeof LIES)[number]

/** Which peers do not do as they should; what is their own they do. By rank. */
export class Liars {
  readonly #lies: Uint8Array

  /** `share` of all, dealt out evenly among those lies. */
  constructor(ranks: number, share: number, lies: readonly Lie[], random: Random) {
    this.#lies = Uint8Array.from({ length: ranks }, () => {
      const draw = random.next()
      return draw < share ? 1 + LIES.indexOf(lies[Math.floor((draw / share) * lies.length)]!) : 0
    })
  }

  of(rank: number): Lie | undefined {
    const lie = this.#lies[rank]!
    return lie === 0 ? undefined : LIES[lie - 1]
  }
}

/** Whether an answer gets past it. */
export const passesOn = (liars: Liars | undefined, rank: number): boolean => liars?.of(rank) === undefined
