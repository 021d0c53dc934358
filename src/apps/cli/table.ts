/** Rows as columns, two spaces between; the last column is not padded. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  )
}

/** The first digits of a Node-ID or Resource-ID: enough to tell them apart by eye. */
export const shortId = (id: string): string => id.slice(0, 8)

/** `3 d 4 h`, `2 h 5 min`, `7 min 3 s`, `12 s`. */
export function span(seconds: number): string {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [Math.floor(seconds) % 60, "s"],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return "0 s"
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ")
}

/** `1 node`, `2 nodes`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

/** What came over the network is shown without the controls that could steer a terminal. */
export const plain = (text: string): string => text.replaceAll(/\p{C}/gu, "·")
