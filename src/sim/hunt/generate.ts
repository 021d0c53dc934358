import { type Random, SeededRandom } from "../../core/kit/random.ts"
import { milliseconds } from "../../core/kit/time.ts"
import type { Step, Story } from "./story.ts"

/** How much a story is about each thing. */
type Weights = Readonly<Partial<Record<Step["do"], number>>>

const WEIGHTS: Weights = {
  wait: 6,
  join: 2,
  leave: 1,
  crash: 3,
  restart: 3,
  freeze: 1,
  slow: 1,
  skew: 0.3,
  "full-disk": 0.7,
  part: 0.7,
  block: 0.5,
  mute: 0.5,
  weather: 0.7,
  write: 9,
  read: 5,
}

const NODE_WEIGHTS: Weights = { ...WEIGHTS, write: 5, read: 3, register: 5, call: 4 }

const NAMES = 8
/** Users who have phones. */
const PHONES = 4

/** A random story of peers, or of whole nodes with phones: which, the seed decides. */
export function generate(seed: number, level?: Story["level"]): Story {
  const random = new SeededRandom(seed)
  const below = (limit: number) => Math.floor(limit * random.next())
  if (level === "nodes") {
    const peers = 3 + below(6)
    return { level, seed, peers, fullMeshLimit: MESH, steps: stepsOf(calmed(NODE_WEIGHTS, random), random) }
  }
  const peers = 3 + below(14)
  const fullMeshLimit = below(3) === 0 ? MESH : 2 + below(3)
  return { seed, peers, fullMeshLimit, steps: stepsOf(calmed(WEIGHTS, random), random) }
}

const MESH = 256

function stepsOf(weights: Weights, random: Random): readonly Step[] {
  const length = 8 + Math.floor(32 * random.next())
  return Array.from({ length }, (_, index) => stepOf(draw(weights, random), index, random))
}
/** Half of all faults do not occur in one story, so that those which do are seen on their own. */
function calmed(weights: Weights, random: Random): Weights {
  const isKept = (kind: string) => ALWAYS.includes(kind) || random.next() < 0.5
  const kept = Object.entries(weights).map(([kind, weight]) => [kind, isKept(kind) ? weight : 0])
  return Object.fromEntries(kept) as Weights
}

const ALWAYS: readonly string[] = ["wait", "write", "read", "register", "call"]

function draw(weights: Weights, random: Random): Step["do"] {
  const all = Object.entries(weights) as [Step["do"], number][]
  let left = random.next() * all.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [kind, weight] of all) {
    left -= weight
    if (left < 0) return kind
  }
  return "wait"
}

function stepOf(kind: Step["do"], index: number, random: Random): Step {
  const below = (limit: number) => Math.floor(limit * random.next())
  const who = below(64)
  switch (kind) {
    case "wait":
      return { do: kind, seconds: below(4) === 0 ? 5 + below(30) : below(30) / 10 }
    case "join":
      return { do: kind }
    case "leave":
      return { do: kind, who }
    case "crash":
      return {
        do: kind,
        who: Array.from({ length: below(4) === 0 ? 2 + below(3) : 1 }, () => below(64)),
        how: below(2) === 0 ? "reset" : "silent",
        torn: below(3) / 2,
      }
    case "restart":
      return { do: kind, who, disk: below(4) === 0 ? "lost" : "kept" }
    case "freeze":
    case "mute":
    case "full-disk":
      return { do: kind, who, seconds: 1 + below(12) }
    case "slow":
      return { do: kind, who, milliseconds: 1 + below(30), seconds: 1 + below(12) }
    case "skew":
      return { do: kind, who, milliseconds: below(4_000) - 2_000 }
    case "part":
      return { do: kind, every: 2 + below(3), seconds: 1 + below(20), flaps: below(3) === 0 ? 3 : 1 }
    case "block":
      return { do: kind, who, every: 1 + below(3), seconds: 1 + below(12) }
    case "weather":
      return { do: kind, climate: climateOf(below) }
    case "write":
      return { do: kind, who, name: `n${below(NAMES)}`, ...(below(5) > 0 ? { text: `w${index}` } : {}) }
    case "read":
      return { do: kind, who, name: `n${below(NAMES)}` }
    case "register":
      return { do: kind, who, name: `n${below(PHONES)}` }
    case "call":
      return { do: kind, from: `n${below(PHONES)}`, to: `n${below(PHONES)}` }
  }
}

function climateOf(below: (limit: number) => number): Extract<Step, { do: "weather" }>["climate"] {
  const delays = ["lan", "sites", "internet", { least: milliseconds(1), most: milliseconds(40) }] as const
  return {
    delay: delays[below(delays.length)]!,
    loss: below(3) === 0 ? below(10) / 100 : 0,
    duplication: below(3) === 0 ? 0.05 : 0,
    reordering: below(3) === 0 ? 0.05 : 0,
  }
}
