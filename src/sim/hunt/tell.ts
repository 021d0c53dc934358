import type { Hashes } from "../../core/kit/crypto.ts"
import { playNodes } from "./play-nodes.ts"
import { playPeers } from "./play-peers.ts"
import type { Step, Story } from "./story.ts"

/** Plays a story; says what is amiss, or undefined. A machine that breaks is amiss too. */
export function play(story: Story, hashes: Hashes, watch?: (line: string) => void): string | undefined {
  try {
    return story.level === "nodes" ? playNodes(story, hashes, watch) : playPeers(story, hashes, watch)
  } catch (problem) {
    return `it breaks: ${problem instanceof Error ? problem.stack : String(problem)}`
  }
}

/** A story as an entry of the table of stories that failed once. */
export function entryOf(title: string, story: Story): string {
  const { steps, ...head } = story
  const lines = steps.map((step) => `      ${literal(step)},`)
  return [
    "  {",
    `    title: ${JSON.stringify(title)},`,
    ...Object.entries(head).map(([key, value]) => `    ${key}: ${JSON.stringify(value)},`),
    "    steps: [",
    ...lines,
    "    ],",
    "  },",
  ].join("\n")
}

const literal = (step: Step): string =>
  JSON.stringify(step)
    .replaceAll(/"([a-z]+)":/gi, "$1: ")
    .replaceAll(/,(?=\S)/g, ", ")
    .replace(/^\{/, "{ ")
    .replace(/\}$/, " }")
