import type { Climate } from "../conditions.ts"

/**
 * One thing that happens. Whoever it happens to is named by a number: the so-manyth of those that live, counted
 * round, so that a story still makes sense when a step before is left out.
 */
export type Step =
  | { readonly do: "wait"; readonly seconds: number }
  | { readonly do: "join" }
  | { readonly do: "leave"; readonly who: number }
  /** All at one instant. `torn`: the share of what their disks were writing that is on them nevertheless. */
  | {
      readonly do: "crash"
      readonly who: readonly number[]
      readonly how: "reset" | "silent"
      readonly torn: number
    }
  /** The so-manyth of those that are down begins again. */
  | { readonly do: "restart"; readonly who: number; readonly disk: "kept" | "lost" }
  | { readonly do: "freeze"; readonly who: number; readonly seconds: number }
  | {
      readonly do: "slow"
      readonly who: number
      readonly milliseconds: number
      readonly seconds: number
    }
  /** Its clock is ahead by so much from now on. */
  | { readonly do: "skew"; readonly who: number; readonly milliseconds: number }
  | { readonly do: "full-disk"; readonly who: number; readonly seconds: number }
  /** Every so-manyth machine is cut off from the others; `flaps` times, with as long in between. */
  | {
      readonly do: "part"
      readonly every: number
      readonly seconds: number
      readonly flaps: number
    }
  /** Nothing passes from it to every so-manyth other, though all passes back. */
  | { readonly do: "block"; readonly who: number; readonly every: number; readonly seconds: number }
  /** Its links stay up and deliver nothing. */
  | { readonly do: "mute"; readonly who: number; readonly seconds: number }
  | { readonly do: "weather"; readonly climate: Climate }
  /** Without `text`, what is there is removed. */
  | { readonly do: "write"; readonly who: number; readonly name: string; readonly text?: string }
  | { readonly do: "read"; readonly who: number; readonly name: string }
  /** Of whole nodes: the phone of that user takes a node, and registers there. */
  | { readonly do: "register"; readonly who: number; readonly name: string }
  /** Of whole nodes: one phone calls the user of another. */
  | { readonly do: "call"; readonly from: string; readonly to: string }

export type StepKind = Step["do"]

/** A run of the invented world, all of it: played twice, it is the same to the microsecond. */
export interface Story {
  /** Whole nodes with phones, whose values are users; default: overlay peers without SIP. */
  readonly level?: "nodes"
  readonly seed: number
  /** Or nodes. */
  readonly peers: number
  /** Up to so many peers, each has a link to every other; with whole nodes always. */
  readonly fullMeshLimit: number
  readonly steps: readonly Step[]
}

/** What makes two parts of a fabric know nothing of each other, so that what is read may be old. */
export const PARTING: ReadonlySet<StepKind> = new Set(["part", "block", "mute", "freeze"])
