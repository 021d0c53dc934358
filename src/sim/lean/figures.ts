/** What a list of numbers looks like. Zeros where it is empty. */
export interface Summary {
  readonly mean: number
  readonly median: number
  readonly p99: number
  readonly max: number
}

export function summarize(numbers: readonly number[]): Summary {
  if (numbers.length === 0) return { mean: 0, median: 0, p99: 0, max: 0 }
  const sorted = Float64Array.from(numbers).sort()
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
  const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length
  return { mean, median: at(0.5), p99: at(0.99), max: sorted.at(-1)! }
}

/** How unevenly a whole is shared: 0 where all have the same, near 1 where one has all. */
export function gini(shares: Float64Array): number {
  const sorted = shares.slice().sort()
  const sum = sorted.reduce((all, each) => all + each, 0)
  const weighted = sorted.reduce((all, each, index) => all + (index + 1) * each, 0)
  return sum === 0 ? 0 : (2 * weighted) / (sorted.length * sum) - (sorted.length + 1) / sorted.length
}

/**
 * How many of `records` lose all three holders in `time`, where peers crash at `rate` each and a lost copy is replaced after
 * `repair`: the second must die within that time of the first, the third before it ends.
 */
export function expectedLosses(records: number, rate: number, repair: number, time: number): number {
  return records * 3 * rate * (2 * rate * repair) * ((rate * repair) / 2) * time
}
