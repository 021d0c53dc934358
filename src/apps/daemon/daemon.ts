import type { Server } from "node:http"
import { isIP } from "node:net"
import type { Address } from "../../core/kit/address.ts"
import type { CarillonError } from "../../core/kit/errors.ts"
import { log as event } from "../../core/kit/log.ts"
import type { Duration } from "../../core/kit/time.ts"
import type { Health } from "../../core/node/interface.ts"
import { createNode } from "../../core/node/node.ts"
import type { Listener } from "../../core/sip/transport.ts"
import type { PhoneNames } from "../../host/authority/authority.ts"
import { secureRandom } from "../../host/crypto/cryptography.ts"
import type { RunningFabric } from "../../host/enrolment/running-fabric.ts"
import { systemClock } from "../../host/kit/clock.ts"
import type { NodeHost, TlsMaterial } from "../../host/kit/interface.ts"
import type { StoreLoss } from "../../host/kit/store-loss.ts"
import type { Member } from "../../host/membership/member.ts"
import { Upkeep } from "../../host/membership/upkeep.ts"
import { createNodeHost } from "../../host/node-host.ts"
import { describeLoss } from "../../host/store/lost-records.ts"
import { adminToken } from "./admin-token.ts"
import { backupMaker } from "./backup.ts"
import { enterFabric, type FabricEntry, type Origin } from "./fabric.ts"
import { type Controlled, createHandlers, within } from "./handlers.ts"
import { createHttp, listenHttp } from "./http.ts"
import { inviter } from "./inviter.ts"
import { createLog, type Log } from "./log.ts"
import { Metrics } from "./metrics.ts"
import type { UpOptions } from "./options.ts"
import { revoker } from "./revoker.ts"
import { readTlsFiles } from "./tls-files.ts"
import { addressToAdvertise, concretePort, httpAddress, ownNames } from "./where.ts"

/** One running node as a service. */
export interface Daemon {
  readonly node: string
  readonly domain: string
  readonly overlay: string
  readonly origin: Origin
  /** IP literal that others reach it at. */
  readonly advertised: string
  readonly ports: { readonly sip: number; readonly sips: number; readonly reload: number }
  readonly http: Address
  /** Why the node does not join, a sentence; undefined where nothing is known that keeps it. */
  obstacle(): string | undefined
  /** Sentences for the operator. */
  readonly notes: readonly string[]
  /** Comes once the node is healthy for the first time. Rejects where it cannot be: it is to be stopped then. */
  readonly ready: Promise<void>
  /** An invite for one more node, good for an hour. Throws ControlError where this node cannot make one. */
  invite(): Promise<string>
  /** Makes the users, or gives them their passwords. Throws ControlError. */
  putUsers(users: UpOptions["users"]): Promise<void>
  /** Hands over, for at most that many milliseconds, and stops. True where all was handed over. */
  drainAndStop(atMost: number): Promise<boolean>
  /** Stops at once: what was acknowledged is on disk. */
  stop(): Promise<void>
}

/** Where everything listens and is reached: settled before anything else, since certificates name it. */
interface Place {
  readonly host: string
  readonly advertised: string
  readonly ports: Daemon["ports"]
  readonly names: readonly string[]
}

/** Everything between the options and a node that answers. Throws CarillonError, each one sentence. */
export async function startDaemon(options: UpOptions, version: string): Promise<Daemon> {
  const log = createLog({ format: options.log, level: options.logLevel })
  const place = await findPlace(options)
  const token = await adminToken(options.data)
  const entry = await enterFabric(options, { host: place.advertised, port: place.ports.reload }, (cause) =>
    log(event("warn", "enrolment.waits", { cause })),
  )
  const watch = watchHealth()
  const metrics = new Metrics((claim) => log(event("error", "metrics.undeclared", { claim })))
  const { membership } = entry
  const phones = await phonesOf(options, membership, place)
  const host = await buildHost(options, version, place, entry, phones.material, { log, metrics, watch })
  const fabric = runningFabric(host)
  membership.attach(fabric)
  await host.start()
  log(event("info", "host.udp", { ...host.udp?.way }))
  const { names } = phones
  const upkeep = new Upkeep({
    member: membership,
    fabric,
    host,
    phones: names === undefined ? undefined : { names, material: phones.material },
    clock: systemClock,
    log,
  })
  upkeep.start()
  const controlled = control(host, membership, fabric)
  const handlers = createHandlers(controlled)
  const server = createHttp({
    version,
    token,
    handlers,
    health: () => watch.health,
    metrics: () => metrics.text({ status: controlled.status(), host: host.gauges, udp: host.udp }),
    count: (effect) => metrics.count(effect),
    log,
  })
  const httpHost = options.httpHost ?? httpAddress(options.host)
  try {
    const port = await listenHttp(server, { host: httpHost, port: options.httpPort })
    const farewell = async () => {
      // The last word on what went over the wire, for whoever compares it with a capture.
      const sent = Object.entries(await metrics.reloadMessagesSent())
      const fields = Object.fromEntries(sent.map(([method, count]) => [`reload_sent_${method}`, count]))
      log(event("info", "node.stopped", fields))
    }
    const ready = watch.ready
    return assemble(
      { host: httpHost, port },
      { place, entry, host, upkeep, server, handlers, ready, farewell },
    )
  } catch (error) {
    await upkeep.stop()
    await host.stop()
    throw error
  }
}

interface Parts {
  readonly place: Place
  readonly entry: FabricEntry
  readonly host: NodeHost
  readonly upkeep: Upkeep
  readonly server: Server
  readonly handlers: ReturnType<typeof createHandlers>
  readonly ready: Promise<void>
  readonly farewell: () => Promise<void>
}

function assemble(
  http: Address,
  { place, entry, host, upkeep, server, handlers, ready, farewell }: Parts,
): Daemon {
  const { identity, configuration } = entry.membership
  const stop = async () => {
    server.close()
    server.closeAllConnections()
    await upkeep.stop()
    await host.stop()
    await farewell()
  }
  return {
    node: identity.nodeId,
    domain: configuration.sipDomain,
    overlay: configuration.instanceName,
    origin: entry.origin,
    advertised: place.advertised,
    ports: host.ports,
    http,
    notes: host.loss === undefined ? entry.notes : [...entry.notes, lossNote(host.loss)],
    ready,
    obstacle() {
      const { health } = host.node.status(systemClock())
      return health.state === "joining" ? health.cause : undefined
    },
    async invite() {
      const { invite } = await handlers.invite({ uses: 1, expiresSeconds: 3_600 })
      return invite
    },
    async putUsers(users) {
      if (users.length > 0) await handlers.putUsers({ users: [...users], mode: "import" })
    },
    async drainAndStop(atMost) {
      const answer = await within(atMost, host.command({ kind: "drain" }))
      await stop()
      return answer?.kind === "drained"
    },
    stop,
  }
}

async function findPlace(options: UpOptions): Promise<Place> {
  const { host } = options
  const advertised = options.advertise ?? (await addressToAdvertise(host))
  // Links, Via and Record-Route tell the numbers to others, so they must be known before the bind.
  const ports = {
    sip: await concretePort(options.sipPort, host),
    sips: await concretePort(options.sipsPort, host),
    reload: await concretePort(options.reloadPort, host),
  }
  return { host, advertised, ports, names: ownNames(host, advertised) }
}

interface Observers {
  readonly log: Log
  readonly metrics: Metrics
  readonly watch: HealthWatch
}

async function buildHost(
  options: UpOptions,
  version: string,
  place: Place,
  { membership, origin, bootstrap }: FabricEntry,
  phoneTls: TlsMaterial,
  { log, metrics, watch }: Observers,
): Promise<NodeHost> {
  const { identity, cryptography, configuration, document, fabricKeys, fabricTls, enrolment } = membership
  const { host, advertised, ports, names } = place
  const at = (transport: Listener["transport"], port: number): Listener => ({
    transport,
    advertised: { host: advertised, port },
  })
  const node = createNode({
    identity,
    cryptography,
    random: secureRandom(),
    configuration,
    document,
    authorityExpires: membership.authorityExpires,
    advertised: { host: advertised, port: ports.reload },
    listeners: [at("UDP", ports.sip), at("TCP", ports.sip), at("TLS", ports.sips)],
    aliases: names,
    trusted: options.trusted,
    fabricKeys,
    digestAlgorithms: options.digest,
    version,
    ...(options.clockBound === undefined ? {} : { clockBound: options.clockBound as Duration }),
  })
  return createNodeHost(node, {
    data: options.data,
    host,
    ports,
    fabricTls,
    badNodes: () => membership.configuration.badNodes,
    phoneTls,
    isReturning: origin === "returned",
    acceptLoss: options.acceptLoss === true,
    abandoned: (cause) => watch.fail(cause),
    bootstrap,
    enrolment,
    keyLog: options.keyLog,
    udp: options.udp,
    ...(options.nameServers === undefined ? {} : { nameServers: options.nameServers }),
    log,
    count: (effect) => metrics.count(effect),
    health: (health) => watch.tell(health),
    configured: (newer, its) => {
      membership.takeDocument(newer, its).catch((cause: Error) => {
        log(event("error", "node.configuration-not-kept", { cause: cause.message }))
      })
    },
  })
}

/** The operator's certificate, or one of the overlay's CA for the domain and this node's addresses, by `names`. RFC 5922. */
async function phonesOf(
  { tlsCert, tlsKey }: UpOptions,
  membership: Member,
  { advertised, host }: Place,
): Promise<{ readonly material: TlsMaterial; readonly names: PhoneNames | undefined }> {
  if (tlsCert !== undefined && tlsKey !== undefined)
    return { material: await readTlsFiles(tlsCert, tlsKey), names: undefined }
  const addresses = [...new Set([advertised, host])].filter(
    (name) => isIP(name) !== 0 && name !== "0.0.0.0" && name !== "::",
  )
  const names = { domain: membership.configuration.sipDomain, addresses }
  return { material: await membership.phoneTls(names), names }
}

const runningFabric = (host: NodeHost): RunningFabric => ({
  nodes: () => host.node.status(systemClock()).nodes,
  command: (command) => host.command(command),
  snapshot: () => host.node.snapshot(),
  reconfigure: (document) => host.reconfigure(document),
})

function control(host: NodeHost, membership: Member, fabric: RunningFabric): Controlled {
  const status = () => {
    const way = host.udp?.way
    const { loss, clockStep } = host
    return {
      ...host.node.status(systemClock()),
      ...(way && { udp: `${way.kind}: ${way.reason}` }),
      ...(loss && { store: loss }),
      ...(clockStep !== undefined && { clockStep }),
    }
  }
  return {
    domain: membership.configuration.sipDomain,
    status,
    command: (command) => host.command(command),
    invite: inviter(membership, status),
    revoke: revoker(membership, status),
    backup: backupMaker(membership, fabric),
  }
}

const lossNote = (loss: StoreLoss): string =>
  `${describeLoss(loss)}: ${loss.state === "accepted" ? "this node goes on without what was in it" : "its records come from the other nodes"}`

interface HealthWatch {
  readonly health: Health
  readonly ready: Promise<void>
  tell(health: Health): void
  fail(cause: CarillonError): void
}

function watchHealth(): HealthWatch {
  let health: Health = { state: "joining" }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // Whoever waits for it is told; nobody need.
  promise.catch(() => undefined)
  return {
    get health() {
      return health
    },
    ready: promise,
    tell(news) {
      health = news
      if (news.state === "healthy") resolve()
    },
    fail: reject,
  }
}
