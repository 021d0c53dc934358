// Charts as SVG, by hand: a few lines and dots need no library.

const INK = "#1c2b33"
const PALE = "#c8d2d8"
const ACCENT = "#0b7a75"

const text = (x: number, y: number, content: string, anchor = "start", size = 13) =>
  `<text x="${round(x)}" y="${round(y)}" font-size="${size}" text-anchor="${anchor}" fill="${INK}">${escapeXml(content)}</text>`

export const drawing = (width: number, height: number, title: string, parts: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(20, 28, title, "start", 17),
    ...parts,
    "</svg>",
    "",
  ].join("\n")

export interface Curve {
  readonly title: string
  readonly x: string
  /** Marks of the axis below, in the order of the points. */
  readonly marks: readonly string[]
  readonly lines: readonly {
    readonly name: string
    readonly values: readonly number[]
    readonly pale?: boolean
  }[]
}

/** One chart of lines over evenly spaced points, in a box. */
export function chart(left: number, top: number, width: number, height: number, curve: Curve): string {
  const most = Math.max(...curve.lines.flatMap(({ values }) => values), 1e-9) * 1.1
  const count = curve.marks.length
  const [x0, y0] = [left + 46, top + height - 36]
  const x = (index: number) => x0 + ((width - 60) * index) / Math.max(1, count - 1)
  const y = (value: number) => y0 - ((height - 66) * value) / most
  const every = Math.ceil(count / 12)
  const parts = [
    text(left, top + 12, curve.title, "start", 14),
    `<path d="M${round(x0)} ${round(y(most))}V${round(y0)}H${round(x(count - 1))}" fill="none" stroke="${INK}"/>`,
    text(x0 - 6, y(most) + 5, label(most), "end", 11),
    text(x0 - 6, y(most / 2) + 4, label(most / 2), "end", 11),
    text(x0 - 6, y0 + 4, "0", "end", 11),
    ...curve.marks.flatMap((mark, i) => (i % every === 0 ? [text(x(i), y0 + 16, mark, "middle", 11)] : [])),
    text(x(count - 1), y0 + 31, curve.x, "end", 11),
  ]
  for (const { name, values, pale } of curve.lines) {
    const points = values.map((value, index) => `${round(x(index))},${round(y(value))}`).join(" ")
    const colour = pale ? PALE : ACCENT
    parts.push(`<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>`)
    const last = values.length - 1
    parts.push(text(x(last), y(values[last]!) - 6, name, "end", 11))
  }
  return parts.join("\n")
}

/** The ring with its peers, and one of them with those that it is linked to. Places are parts of the ring, of 1. */
export function ringPicture(
  centreX: number,
  centreY: number,
  radius: number,
  peers: readonly number[],
  chosen: number,
  linked: readonly number[],
): string {
  const at = (place: number) => {
    const angle = 2 * Math.PI * place - Math.PI / 2
    return [round(centreX + radius * Math.cos(angle)), round(centreY + radius * Math.sin(angle))] as const
  }
  const [x, y] = at(chosen)
  return [
    `<circle cx="${centreX}" cy="${centreY}" r="${radius}" fill="none" stroke="${PALE}"/>`,
    ...linked.map((place) => {
      const [toX, toY] = at(place)
      return `<line x1="${x}" y1="${y}" x2="${toX}" y2="${toY}" stroke="${ACCENT}" stroke-width="0.8"/>`
    }),
    ...peers.map((place) => {
      const [px, py] = at(place)
      return `<circle cx="${px}" cy="${py}" r="1.4" fill="${INK}"/>`
    }),
    `<circle cx="${x}" cy="${y}" r="4" fill="${ACCENT}"/>`,
  ].join("\n")
}

const round = (value: number) => Number(value.toFixed(1))
const label = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(2))
const escapeXml = (content: string) => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
