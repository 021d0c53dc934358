import type { factsOf } from "../../src/apps/cli/sim/report.ts"
import { type Curve, chart, drawing } from "../../src/sim/lean/picture.ts"

/** One line of `carillon sim --json`. */
export type Facts = ReturnType<typeof factsOf>

const COLUMNS = [
  "peers",
  "hops, mean (at most ½·log2 n + 1)",
  "hops, max (at most log2 n + 2)",
  "links, mean",
  "messages a peer and minute, look-ups apart",
  "bytes a peer",
  "share, max/mean",
  "Gini",
  "look-ups wrong or unanswered",
]

/** Messages that a peer sends and gets in a minute for the ring's sake. */
const upkeep = ({ messages, messagesPerPeerPerMinute }: Facts): number => {
  const total = Object.values(messages).reduce((sum, count) => sum + count, 0)
  return (messagesPerPeerPerMinute * (total - (messages["fetch"] ?? 0))) / Math.max(1, total)
}

/** As Markdown. */
export function growthTable(all: readonly Facts[]): readonly string[] {
  const rows = all.map((facts) => {
    const { peers, hops, table, share, lookups } = facts
    const log2 = Math.log2(peers)
    return [
      peers.toLocaleString("en"),
      `${hops.mean.toFixed(1)} (${(log2 / 2 + 1).toFixed(1)})`,
      `${hops.max} (${(log2 + 2).toFixed(1)})`,
      table.mean.toFixed(0),
      upkeep(facts).toFixed(0),
      Math.round(facts.bytesPerPeer).toLocaleString("en"),
      share.maxOverMean.toFixed(1),
      share.gini.toFixed(2),
      `${lookups.wrong + lookups.failed} of ${lookups.total.toLocaleString("en")}`,
    ]
  })
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`
  return [line(COLUMNS), line(COLUMNS.map(() => "---:")), ...rows.map(line)]
}

const [WIDTH, HEIGHT] = [420, 270]

export function drawGrowth(all: readonly Facts[]): string {
  const marks = all.map(({ peers }) => short(peers))
  const of = (value: (facts: Facts) => number) => all.map(value)
  const one = (title: string, value: (facts: Facts) => number): Curve => ({
    title,
    x: "peers",
    marks,
    lines: [{ name: "", values: of(value) }],
  })
  const hops: Curve = {
    title: "Hops of a look-up",
    x: "peers",
    marks,
    lines: [
      { name: "log2 n + 2", values: of(({ peers }) => Math.log2(peers) + 2), pale: true },
      { name: "½·log2 n + 1", values: of(({ peers }) => Math.log2(peers) / 2 + 1), pale: true },
      { name: "longest", values: of((facts) => facts.hops.max) },
      { name: "mean", values: of((facts) => facts.hops.mean) },
    ],
  }
  const curves = [
    hops,
    one("Links of a peer, mean", ({ table }) => table.mean),
    one("Messages a peer and minute, without look-ups and probes", upkeep),
    one("Megabytes of memory in all", ({ bytesPerPeer, peers }) => (bytesPerPeer * peers) / 1e6),
    one("Largest share of the ring over the mean, random ids", ({ share }) => share.maxOverMean),
    one("Gini of the shares", ({ share }) => share.gini),
  ]
  const parts = curves.map((curve, index) =>
    chart(20 + (index % 2) * (WIDTH + 30), 50 + Math.floor(index / 2) * (HEIGHT + 20), WIDTH, HEIGHT, curve),
  )
  const title = `A ring as it grows: ${marks.join(", ")} peers`
  return drawing(2 * WIDTH + 70, 3 * (HEIGHT + 20) + 60, title, parts)
}

/** 100, 1k, 10k, 1M. */
function short(peers: number): string {
  if (peers < 1_000) return String(peers)
  return peers < 1_000_000 ? `${Math.round(peers / 1_000)}k` : `${Math.round(peers / 1_000_000)}M`
}
