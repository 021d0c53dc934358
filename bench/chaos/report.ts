import type { Second } from "./load.ts"

export type Row = readonly [what: string, figure: string, verdict: "ok" | "NOT" | ""]

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
  const [first, second] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map(([what, figure, verdict]) => `${what.padEnd(first!)}  ${figure.padEnd(second!)}  ${verdict}`)
    .join("\n")
}
