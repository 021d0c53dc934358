import { Counter, Gauge, Registry } from "prom-client"
import type { CountEffect } from "../../core/kit/log.ts"
import type { NodeStatus } from "../../core/node/interface.ts"
import type { NodeHost } from "../../host/kit/interface.ts"

interface Declaration {
  readonly help: string
  readonly labels: readonly string[]
}

/** Every counter that the node or its host may raise with a `count` effect. */
export const COUNTERS: Readonly<Record<string, Declaration>> = {
  health_changes_total: {
    help: "Changes of this node's health, by the state it came to.",
    labels: ["state"],
  },
  host_connections_refused_total: {
    help: "Connections refused on arrival: limits, or no trusted certificate.",
    labels: ["listener", "cause"],
  },
  host_datagrams_dropped_total: {
    help: "Datagrams dropped because too many SIP messages waited for their turn.",
    labels: [],
  },
  host_enrolment_refused_total: {
    help: "Requests to enrolment refused, by what was wrong with the invite, else the HTTP status.",
    labels: ["cause"],
  },
  host_streams_cut_total: {
    help: "Connections closed for what came, or did not leave, over them.",
    labels: ["cause"],
  },
  http_refused_total: {
    help: "HTTP requests refused, by status: 401 is a wrong admin token or none.",
    labels: ["status"],
  },
  overlay_comparisons_total: {
    help: "Records compared with another holder, by what was found: same, different, unknown.",
    labels: ["verdict"],
  },
  reload_messages_total: {
    help: "RELOAD messages on links, forwarded ones included.",
    labels: ["method", "direction"],
  },
  reload_refused_total: { help: "RELOAD messages dropped or refused.", labels: ["cause"] },
  sip_calls_answered_total: { help: "Calls answered.", labels: [] },
  sip_hops_exhausted_total: { help: "SIP requests refused because Max-Forwards had run out.", labels: [] },
  sip_malformed_total: { help: "SIP messages that could not be read.", labels: ["reason"] },
  sip_overload_refusals_total: {
    help: "SIP requests refused because too many were under way.",
    labels: [],
  },
  sip_refused_total: {
    help: "SIP requests refused by this node, by the status it answered.",
    labels: ["status"],
  },
  sip_stray_responses_total: { help: "SIP responses that belong to no transaction.", labels: [] },
}

const HEALTH_STATES = ["joining", "healthy", "unhealthy", "draining", "drained"] as const

/** What a scrape reads at its moment. */
export interface Readings {
  readonly status: NodeStatus
  /** The host's own: open flows, links, connections by transport. */
  readonly host: Readonly<Record<string, number>>
  readonly udp: NodeHost["udp"]
}

/** The figures of `/metrics`. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #processorTime = new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time used since the start.",
    registers: [this.#registry],
  })
  readonly #datagramsDropped = new Counter({
    name: "carillon_udp_dropped_total",
    help: "Datagrams that the kernel threw away as they came faster than this node took them.",
    registers: [this.#registry],
  })
  readonly #undeclared: (claim: string) => void
  /** What was counted last, and how often in a row. */
  #latest: CountEffect | undefined
  #times = 0

  /** `undeclared` is told of a counter or label that is not declared, which is then not counted. */
  constructor(undeclared: (claim: string) => void) {
    this.#undeclared = undeclared
    for (const [name, { help, labels }] of Object.entries(COUNTERS)) {
      this.#counters.set(
        name,
        new Counter({ name, help, labelNames: [...labels], registers: [this.#registry] }),
      )
    }
  }

  count(effect: CountEffect): void {
    // Who counts hundreds of thousands of the same a second gives the same object each time: the counters' own look-up by
    // labels would be a good part of what that costs.
    if (effect === this.#latest) {
      this.#times++
      return
    }
    this.#settle()
    const { counter, labels } = effect
    const declared = COUNTERS[counter]?.labels
    if (declared === undefined) return this.#undeclared(`counter ${counter} is declared in metrics.ts`)
    const stranger = Object.keys(labels).find((label) => !declared.includes(label))
    if (stranger !== undefined)
      return this.#undeclared(`label ${stranger} of ${counter} is declared in metrics.ts`)
    this.#latest = effect
    this.#times = 1
  }

  /** Hands on what was counted since. */
  #settle(): void {
    if (this.#latest === undefined) return
    const { counter, labels, by } = this.#latest
    this.#counters.get(counter)!.inc(labels, by * this.#times)
    this.#latest = undefined
  }

  /** RELOAD messages that this node put on its links since it started, by method. */
  async reloadMessagesSent(): Promise<Readonly<Record<string, number>>> {
    this.#settle()
    const { values } = await this.#counters.get("reload_messages_total")!.get()
    const sent = values.filter(({ labels }) => labels["direction"] === "sent")
    return Object.fromEntries(sent.map(({ labels, value }) => [String(labels["method"]), value]))
  }

  /** Prometheus' text format 0.0.4. */
  text({ status, host, udp }: Readings): Promise<string> {
    this.#settle()
    this.#readNode(status)
    this.#readProcess()
    this.#readDatagrams(udp)
    for (const [name, value] of Object.entries(host)) {
      this.#gauge(`carillon_${name}`, `Open now: ${name.replaceAll("_", " ")}.`).set(value)
    }
    return this.#registry.metrics()
  }

  #readNode(status: NodeStatus): void {
    const { health, records, sip } = status
    for (const state of HEALTH_STATES) {
      this.#gauge("carillon_health", "1 for the state this node is in.", "state").set(
        { state },
        state === health.state ? 1 : 0,
      )
    }
    const roles = this.#gauge("carillon_role_nodes", "Living nodes that serve a role.", "role")
    roles.reset()
    for (const [role, nodes] of Object.entries(status.roleCounts)) roles.set({ role }, nodes)
    const clocks = this.#gauge(
      "carillon_clock_ahead_seconds",
      "How far the clock of a linked node is ahead of this one's; negative: behind.",
      "node",
    )
    clocks.reset()
    for (const { node, ahead } of status.clocks) clocks.set({ node }, ahead / 1_000)
    const versions = this.#gauge(
      "carillon_version_nodes",
      "Living nodes that run a version of Carillon; unknown: they have not told.",
      "version",
    )
    versions.reset()
    for (const { version = "unknown" } of status.nodes) versions.inc({ version })
    for (const [state, count] of Object.entries(records)) {
      this.#gauge(
        "carillon_records",
        "Records: held here, due here, short of a copy, being repaired by this node.",
        "state",
      ).set({ state }, Number(count))
    }
    const plain: readonly (readonly [string, string, number])[] = [
      ["carillon_nodes", "Living nodes that this one knows, itself included.", status.nodes.length],
      ["carillon_may_die", "How many more nodes may die at once without losing a record.", status.mayDie],
      ["carillon_registrations", "Registrations whose edge is this node.", sip.registrations],
      ["carillon_pending_invites", "INVITE transactions under way.", sip.pendingInvites],
      ["carillon_pending_transactions", "SIP transactions under way.", sip.pendingTransactions],
      ["carillon_answered_calls", "Calls answered since the start.", sip.answeredCalls],
      ["carillon_uptime_seconds", "Seconds since the start.", status.uptimeSeconds],
      [
        "carillon_certificate_days_left",
        "Days until this node's certificate ends.",
        status.certificateDaysLeft,
      ],
      [
        "carillon_configuration_days_left",
        "Days until the fabric's configuration document expires.",
        status.configurationDaysLeft,
      ],
      ["carillon_authority_days_left", "Days until the CA's root ends.", status.authorityDaysLeft],
    ]
    for (const [name, help, value] of plain) this.#gauge(name, help).set(value)
  }

  /** prom-client's own collection samples the event loop a hundred times a second; this costs nothing. */
  #readProcess(): void {
    const { user, system } = process.cpuUsage()
    this.#processorTime.reset()
    this.#processorTime.inc((user + system) / 1e6)
    const memory = process.memoryUsage()
    const plain: readonly (readonly [string, string, number])[] = [
      ["process_resident_memory_bytes", "Memory in use, all told.", memory.rss],
      ["nodejs_heap_used_bytes", "Memory in use by JavaScript.", memory.heapUsed],
      [
        "nodejs_eventloop_utilization",
        "Share of the time since the start that the event loop was busy.",
        performance.eventLoopUtilization().utilization,
      ],
    ]
    for (const [name, help, value] of plain) this.#gauge(name, help).set(value)
  }

  #readDatagrams(udp: Readings["udp"]): void {
    const ways = this.#gauge("carillon_udp_way", "1 for how SIP over UDP is moved.", "way")
    for (const way of ["batched", "plain"] as const) ways.set({ way }, way === udp?.way.kind ? 1 : 0)
    this.#datagramsDropped.reset()
    this.#datagramsDropped.inc(udp?.dropped ?? 0)
  }

  #gauge(name: string, help: string, ...labelNames: readonly string[]): Gauge {
    const known = this.#gauges.get(name)
    if (known !== undefined) return known
    const gauge = new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] })
    this.#gauges.set(name, gauge)
    return gauge
  }
}
