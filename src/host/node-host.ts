import type { Identity } from "../core/identity/certificate.ts"
import { log } from "../core/kit/log.ts"
import type { CarillonNode, NodeAnswer, NodeCommand, NodeEffect, NodeInput } from "../core/node/interface.ts"
import { advanceClock, clockStep, systemClock } from "./kit/clock.ts"
import { ClockWatch } from "./kit/clock-watch.ts"
import type { HostSettings, NodeHost, TlsMaterial } from "./kit/interface.ts"
import type { StoreLoss } from "./kit/store-loss.ts"
import { Loop } from "./loop.ts"
import { createDns, type Dns } from "./network/dns.ts"
import { mergeAddresses, openPeerFile, type PeerFile } from "./network/peers.ts"
import { openPorts, type Ports } from "./ports.ts"
import { openRecords, Recovery } from "./store/lost-records.ts"
import type { RecordStore } from "./store/store.ts"

/** Of a process that found itself wrong and stopped: EX_SOFTWARE of sysexits.h. */
export const FAULT_EXIT_CODE = 70

type Send = Extract<NodeEffect, { kind: "send" }>

/** What exists while the host runs. */
interface Running {
  readonly store: RecordStore
  readonly recovery: Recovery | undefined
  readonly clocks: ClockWatch
  readonly peers: PeerFile
  readonly dns: Dns
  readonly ports: Ports
}

/** Drives `node` on real sockets, disk and clock. Nothing happens before `start`. */
export function createNodeHost(node: CarillonNode, settings: HostSettings): NodeHost {
  return new Host(node, settings)
}

class Host implements NodeHost {
  readonly node: CarillonNode
  readonly #settings: HostSettings
  readonly #loop: Loop<NodeInput, NodeEffect>
  readonly #commands = new Map<number, (answer: NodeAnswer) => void>()
  #lastCommand = 0
  #running: Running | undefined
  #loss: StoreLoss | undefined

  constructor(node: CarillonNode, settings: HostSettings) {
    this.node = node
    this.#settings = settings
    this.#loop = new Loop<NodeInput, NodeEffect>({
      machine: node,
      clock: systemClock,
      perform: (effect) => this.#perform(effect),
      fatal: (fault) => this.#fatal(fault),
    })
  }

  get ports(): NodeHost["ports"] {
    return this.#running?.ports.numbers ?? this.#settings.ports
  }

  get gauges(): Readonly<Record<string, number>> {
    return this.#running?.ports.gauges ?? {}
  }

  get udp(): NodeHost["udp"] {
    return this.#running?.ports.datagrams
  }

  async start(): Promise<void> {
    const settings = this.#settings
    const peers = openPeerFile(settings.data, settings.log)
    const bootstrap = mergeAddresses(settings.bootstrap, await peers.read())
    const { store, changes, loss } = await this.#openRecords(bootstrap.length > 0)
    try {
      this.node.restore(changes)
      const ports = await openPorts(settings, systemClock, this.#loop)
      const recovery = loss?.state === "fetching" ? this.#recover(loss) : undefined
      const clocks = this.#watchClocks()
      this.#running = { store, recovery, clocks, peers, dns: createDns(settings.nameServers), ports }
      this.#loop.begin({
        kind: "start",
        bootstrap,
        ...(loss && { lost: loss.state === "fetching" ? "records" : "accepted" }),
      })
    } catch (cause) {
      await store.close()
      throw cause
    }
  }

  get loss(): StoreLoss | undefined {
    return this.#running?.recovery?.loss ?? this.#loss
  }

  async #openRecords(hasOthers: boolean) {
    const { data, isReturning = false, acceptLoss = false } = this.#settings
    const opened = await openRecords(
      { data, isReturning, hasOthers, acceptLoss, now: systemClock() },
      (answer) => this.#loop.input(answer),
      {
        snapshot: () => this.node.snapshot(),
        rebuilt: (aside, reason) =>
          this.#lose({ at: systemClock(), problem: `was damaged (${reason})`, aside, state: "written-anew" }),
      },
    )
    if (opened.loss !== undefined) this.#lose(opened.loss)
    return opened
  }

  #lose(loss: StoreLoss): void {
    this.#loss = loss
    const { problem, aside, state } = loss
    this.#settings.log(log("error", "store.lost", { problem, aside, state }))
  }

  get clockStep(): number | undefined {
    return this.#running?.clocks.step
  }

  #watchClocks(): ClockWatch {
    return new ClockWatch({
      step: clockStep,
      advance: advanceClock,
      others: () => this.node.clocks.map(({ ahead }) => ahead),
      log: this.#settings.log,
    })
  }

  #recover(loss: StoreLoss): Recovery {
    const { data, abandoned } = this.#settings
    return new Recovery(data, loss, {
      hasPeers: () => this.node.status(systemClock()).nodes.length > 1,
      giveUp: (cause) => abandoned?.(cause),
      log: this.#settings.log,
    })
  }

  command(command: NodeCommand): Promise<NodeAnswer> {
    if (this.#running === undefined) return Promise.resolve(NOT_RUNNING)
    return new Promise((resolve) => {
      const ticket = ++this.#lastCommand
      this.#commands.set(ticket, resolve)
      this.#loop.input({ kind: "command", ticket, command })
    })
  }

  renewIdentity(identity: Identity, material: TlsMaterial): void {
    this.#running?.ports.renew("node", material)
    this.#loop.input({ kind: "identity", identity })
  }

  renewPhoneTls(material: TlsMaterial): void {
    this.#running?.ports.renew("phones", material)
  }

  reconfigure(document: string): void {
    this.#loop.input({ kind: "configuration", document })
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#loop.stop()
    for (const resolve of this.#commands.values()) resolve(NOT_RUNNING)
    this.#commands.clear()
    if (running === undefined) return
    running.recovery?.stop()
    running.clocks.stop()
    running.dns.stop()
    await running.ports.close()
    await running.peers.close()
    await running.store.close()
  }

  #perform(effect: NodeEffect): void {
    const running = this.#running
    if (running === undefined) return
    const { ports, store, dns, peers } = running
    switch (effect.kind) {
      case "send":
        return this.#send(effect, ports)
      case "close-flow":
        return ports.streams.close(effect.flow)
      case "resolve":
        return dns.resolve(effect.question, (records) =>
          this.#loop.input({ kind: "resolved", ticket: effect.ticket, records }),
        )
      case "open-link":
        return ports.links.open(effect.attempt, effect.address)
      case "link-send":
        return ports.links.send(effect.link, effect.bytes)
      case "close-link":
        return ports.links.close(effect.link)
      case "persist":
        return store.persist(effect.ticket, effect.changes)
      case "answer":
        return this.#answer(effect.ticket, effect.answer)
      case "peers":
        return peers.write(effect.addresses)
      case "configured":
        return this.#settings.configured?.(effect.document, effect.configuration)
      case "health":
        running.recovery?.heard(effect.health)
        return this.#settings.health(effect.health)
      case "log":
        return this.#settings.log(effect)
      case "count":
        return this.#settings.count(effect)
    }
  }

  #send({ id, hop, bytes }: Send, { datagrams, streams }: Ports): void {
    const failed = (reason: string) => {
      const whose = hop.kind === "node" ? { node: hop.node } : {}
      this.#loop.input({ kind: "send-failed", id, reason, ...whose })
    }
    if (hop.kind === "flow" && hop.flow.transport !== "UDP") {
      streams.sendOver(hop.flow, bytes, failed)
    } else if (hop.kind === "flow") {
      datagrams.send(bytes, hop.flow.remote, failed)
    } else if (hop.kind === "address" && hop.transport === "UDP") {
      datagrams.send(bytes, hop.address, failed)
    } else {
      streams.sendTo(hop, bytes, failed)
    }
  }

  #answer(ticket: number, answer: NodeAnswer): void {
    this.#commands.get(ticket)?.(answer)
    this.#commands.delete(ticket)
  }

  /** The node is not to be trusted any more; the fabric does without it, and a supervisor starts it anew. */
  #fatal(fault: unknown): void {
    const cause = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)
    this.#settings.log(log("error", "host.fault", { cause }))
    if (this.#settings.fatal) this.#settings.fatal(fault)
    else process.exit(FAULT_EXIT_CODE)
  }
}

const NOT_RUNNING: NodeAnswer = { kind: "refused", code: "unavailable", cause: "this node is not running" }
