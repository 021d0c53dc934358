import type { Second } from "./load.ts"

/** A verdict of "" stands at figures that have no target. */
export type Row = readonly [what: string, figure: string, target: string, verdict: "ok" | "NOT" | ""]

const BARS = " ▁▂▃▄▅▆▇█"

/** Calls over time: reached above, failed below, a column a second. */
export function pictureOf(seconds: readonly Second[], marks: ReadonlyMap<number, string>): string {
  const most = Math.max(1, ...seconds.map(({ ok, failed }) => Math.max(ok, failed)))
  const bar = (count: number) => BARS[count === 0 ? 0 : Math.max(1, Math.round((8 * count) / most))]!
  const events = seconds.map((_, second) => marks.get(second)?.[0] ?? " ").join("")
  const legend = [...new Set(marks.values())].map((mark) => `${mark[0]} = ${mark}`).join(", ")
  return [
    `reached  ${seconds.map(({ ok }) => bar(ok)).join("")}|`,
    `failed   ${seconds.map(({ failed }) => bar(failed)).join("")}|`,
    `events   ${events}|  ${legend}; a column is a second, a full bar ${most} calls`,
  ].join("\n")
}

export function tableOf(rows: readonly Row[]): string {
  const all = [["", "figure", "target", ""] as const, ...rows]
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map(([what, figure, target, verdict]) =>
      `${what.padEnd(widths[0]!)}  ${figure.padStart(widths[1]!)}  ${target.padEnd(widths[2]!)}  ${verdict}`.trimEnd(),
    )
    .join("\n")
}

export const oneDecimal = (value: number): string => value.toFixed(1)

/** The value below which `share` of them lie; 0 where there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
