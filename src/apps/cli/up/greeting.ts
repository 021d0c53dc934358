import { formatAddress } from "../../../core/kit/address.ts"
import type { Daemon } from "../../daemon/daemon.ts"
import { DEFAULT_DATA, DEFAULT_HTTP } from "../connection.ts"
import { shortId, table } from "../table.ts"

const ORIGINS: Readonly<Record<Daemon["origin"], string>> = {
  created: "a new fabric",
  joined: "just admitted",
  returned: "back with its data",
}

type DaemonFacts = Omit<Daemon, "ready" | "obstacle" | "invite" | "putUsers" | "drainAndStop" | "stop">

/** The same for a program: `up --json`. */
export function factsOf(
  { node, domain, overlay, origin, advertised, ports, http }: DaemonFacts,
  version: string,
  outcome: { readonly invite: string } | { readonly cause: string },
  seconds: number,
) {
  const invite = "invite" in outcome ? outcome.invite : null
  const dashboard = `http://${formatAddress(http)}/`
  return {
    ready: true,
    seconds,
    version,
    node,
    domain,
    overlay,
    origin,
    advertised,
    ports,
    dashboard,
    invite,
  }
}

/** What `up` prints once its ports are open: what is where, and what to do next. */
export function describeDaemon(
  daemon: DaemonFacts,
  version: string,
  data: string,
  secondNode: string,
): readonly string[] {
  const { ports, http, advertised, domain } = daemon
  const isLoopback = /^127\.|^::1$/.test(http.host)
  const rows = [
    ["PORT", "PROTOCOL", "FOR"],
    [String(ports.sip), "UDP, TCP", "SIP: phones"],
    [String(ports.sips), "TLS", "SIP: phones, encrypted"],
    [String(ports.reload), "TLS", "other nodes: RELOAD, SIP between nodes, enrolment"],
    [
      String(http.port),
      `HTTP on ${http.host}`,
      `status page, control API, metrics${isLoopback ? " (this machine only)" : ""}`,
    ],
  ]
  const facts = [
    [
      "SIP address",
      `sip:NAME@${domain}, phones' proxy ${formatAddress({ host: advertised, port: ports.sip })}`,
    ],
    ["dashboard", `http://${formatAddress(http)}/`],
    ["add a user", `carillon user add NAME${connectionOf(http, data)}`],
    ["second node", secondNode],
  ]
  return [
    `Carillon ${version}, node ${shortId(daemon.node)} of fabric ${daemon.overlay}: ${ORIGINS[daemon.origin]}`,
    "",
    ...table(rows),
    "",
    ...table(facts),
    "",
  ]
}

/** What a command must be told to find this node; nothing where it is the default one. */
function connectionOf(http: Daemon["http"], data: string): string {
  const url = `http://${formatAddress(http)}`
  return `${url === DEFAULT_HTTP ? "" : ` --http ${url}`}${data === DEFAULT_DATA ? "" : ` --data ${data}`}`
}
