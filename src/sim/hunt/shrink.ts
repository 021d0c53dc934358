import type { Step, Story } from "./story.ts"

/**
 * The smallest story that still fails: steps are left out, many at a time and then one by one; there are fewer
 * machines; waits are rounded. `fails` plays a story.
 */
export function shrink(story: Story, fails: (story: Story) => boolean, hasTime = () => true): Story {
  let smallest = story
  const tries = (candidate: Story): boolean => {
    if (!hasTime() || !fails(candidate)) return false
    smallest = candidate
    return true
  }
  let isSmaller = true
  while (isSmaller && hasTime()) {
    const before = sizeOf(smallest)
    for (
      let piece = Math.ceil(smallest.steps.length / 2);
      piece >= 1;
      piece = piece === 1 ? 0 : Math.ceil(piece / 2)
    ) {
      for (let from = smallest.steps.length - piece; from >= 0; from -= piece) {
        const steps = smallest.steps.toSpliced(from, piece)
        tries({ ...smallest, steps })
      }
    }
    for (const peers of [2, 3, 4, 6, 8, 12])
      if (peers < smallest.peers && tries({ ...smallest, peers })) break
    for (const [index, step] of smallest.steps.entries())
      for (const simpler of simplerThan(step))
        if (tries({ ...smallest, steps: smallest.steps.with(index, simpler) })) break
    isSmaller = sizeOf(smallest) < before
  }
  return smallest
}

const sizeOf = (story: Story) => JSON.stringify(story).length

function simplerThan(step: Step): readonly Step[] {
  switch (step.do) {
    case "wait":
      return [1, 5, 10].filter((each) => each < step.seconds).map((each) => ({ do: "wait", seconds: each }))
    case "crash":
      return step.who.length === 1
        ? []
        : step.who.map((_, index) => ({ ...step, who: step.who.toSpliced(index, 1) }))
    case "part":
      return step.flaps === 1 ? [] : [{ ...step, flaps: 1 }]
    default:
      return []
  }
}
