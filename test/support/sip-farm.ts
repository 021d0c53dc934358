// A farm of SIP servers, phones and shared records, all invented: texts in, texts out, no sockets, no waiting.

import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import type { Address } from "../../src/core/kit/address.ts"
import { SeededRandom } from "../../src/core/kit/random.ts"
import { type Instant, minutes, seconds } from "../../src/core/kit/time.ts"
import { createSipServer } from "../../src/core/service/sip-server.ts"
import type {
  DnsQuestion,
  DnsRecord,
  SipEffect,
  SipInput,
  SipServer,
  SipSettings,
} from "../../src/core/service/sip-server-interface.ts"
import type {
  BindingEntry,
  FoundBindings,
  StoreAnswer,
  StoreRequest,
  Subscriber,
} from "../../src/core/service/stores.ts"
import type { Flow, Hop, Transport } from "../../src/core/sip/transport.ts"
import { openSslHashes } from "./hashes.ts"

export const DOMAIN = "example.org"
/** The same list as long as it says the same, as nodes have it. */
export const ALIASES: readonly string[] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
export const START = 1_800_000_000_000 as Instant

const md5 = (text: string) => createHash("md5").update(text).digest("hex")
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

export const nodeId = (number: number): string => md5(`node ${number}`)

/** All nodes, their shared records, and whatever hangs on them. */
export class Farm {
  now: Instant = START
  readonly nodes: FarmNode[] = []
  readonly phones: Phone[] = []
  readonly subscribers = new Map<string, Subscriber>()
  /** AOR, then Node-ID. */
  readonly bindings = new Map<string, Map<string, BindingEntry>>()
  readonly dead = new Set<string>()
  /** Nodes that live as far as anybody knows, though no SIP gets through to them. */
  readonly unreachable = new Set<string>()
  /** What the domain name system knows, by type and name: `SRV _sip._udp.example.net`. */
  readonly dns = new Map<string, readonly DnsRecord[]>()
  /** Undefined: the stores answer at once. */
  storeFault: "silent" | "unavailable" | undefined
  /** Whether a node need not ask for bindings, as one that answers for them itself. */
  recallsBindings = false
  #lastConnection = 100
  readonly #work: (() => void)[] = []
  #working = false

  constructor(nodes: number, settings: Partial<SipSettings> = {}) {
    for (let number = 1; number <= nodes; number++) this.nodes.push(new FarmNode(this, number, settings))
  }

  addUser(user: string, password: string): void {
    const text = `${user}:${DOMAIN}:${password}`
    const name = `${user}@${DOMAIN}`
    this.subscribers.set(name, { name, ha1: { md5: md5(text), sha256: sha256(text) } })
  }

  phone(user: string, transport: Transport, host: string, port = 5060): Phone {
    const phone = new Phone(this, user, transport, { host, port })
    this.phones.push(phone)
    return phone
  }

  nextConnection = (): number => ++this.#lastConnection

  kill(node: FarmNode): void {
    this.dead.add(node.id)
  }

  /** Time passes, and every node does what is due. */
  advance(milliseconds: number): void {
    const until = this.now + milliseconds
    for (;;) {
      const next = Math.min(...this.living().map(({ server }) => server.deadline))
      if (next > until) break
      this.now = Math.max(this.now, next) as Instant
      for (const node of this.living()) node.expire()
    }
    this.now = until as Instant
  }

  living = (): readonly FarmNode[] => this.nodes.filter(({ id }) => !this.dead.has(id))

  /** In the order in which it came up, never within something else. */
  do(work: () => void): void {
    this.#work.push(work)
    if (this.#working) return
    this.#working = true
    try {
      for (let next = this.#work.shift(); next; next = this.#work.shift()) next()
    } finally {
      this.#working = false
      this.#work.length = 0
    }
  }
}

export class FarmNode {
  readonly farm: Farm
  readonly id: string
  readonly host: string
  server: SipServer
  readonly effects: SipEffect[] = []
  /** Messages that went to addresses where no phone of the farm is. */
  readonly lost: { readonly hop: Hop; readonly text: string }[] = []
  refusal: string | undefined
  readonly #settings: Partial<SipSettings>
  #lives = 0

  constructor(farm: Farm, number: number, settings: Partial<SipSettings>) {
    this.farm = farm
    this.id = nodeId(number)
    this.host = `10.0.0.${number}`
    this.#settings = settings
    this.server = this.#create()
  }

  /** Forgets everything but what the stores have; its connections are gone. */
  restart(): void {
    this.#lives++
    this.server = this.#create()
  }

  #create(): SipServer {
    const { farm, host, id } = this
    return createSipServer({
      node: id,
      domain: DOMAIN,
      aliases: () => ALIASES,
      listeners: [
        { transport: "UDP", advertised: { host, port: 5060 } },
        { transport: "TCP", advertised: { host, port: 5060 } },
        { transport: "TLS", advertised: { host, port: 5061 } },
      ],
      fabricKey: new Uint8Array(32).fill(7),
      hashes: openSslHashes,
      random: new SeededRandom(Number.parseInt(id.slice(0, 6), 16) + this.#lives),
      surroundings: {
        isAlive: (node) => !farm.dead.has(node),
        nodeWithPrefix: (prefix) => farm.living().find((node) => node.id.startsWith(prefix))?.id,
        refusesWork: () => this.refusal,
        recallBindings: (aor) => this.#recall(aor),
      },
      trusted: [],
      algorithms: ["MD5"],
      registration: { min: seconds(30), default: minutes(60), max: minutes(120) },
      ...this.#settings,
    })
  }

  handle(input: SipInput): void {
    this.farm.do(() => this.perform(this.server.handle(input, this.farm.now)))
  }

  expire(): void {
    this.farm.do(() => this.perform(this.server.expire(this.farm.now)))
  }

  /** What the stores were asked, and what was written to the log, since the last `effects.length = 0`. */
  asked = (): readonly string[] =>
    this.effects.filter(({ kind }) => /^(find|store)-/.test(kind)).map(({ kind }) => kind)
  logged = (event: string) =>
    this.effects.flatMap((effect) => (effect.kind === "log" && effect.event === event ? [effect.fields] : []))

  perform(effects: readonly SipEffect[]): void {
    for (const effect of effects) {
      this.effects.push(effect)
      if (effect.kind === "send") this.#send(effect.hop, effect.bytes, effect.id)
      else if (effect.kind === "find-subscriber" || effect.kind === "find-bindings") this.#store(effect)
      else if (effect.kind === "store-bindings") this.#store(effect)
      else if (effect.kind === "resolve") this.#resolve(effect.ticket, effect.question)
    }
  }

  #recall(aor: string): FoundBindings | undefined {
    const { recallsBindings, storeFault } = this.farm
    if (!recallsBindings || storeFault !== undefined) return undefined
    const answer = answerOf(this.farm, this.id, { kind: "find-bindings", ticket: 0, aor })
    return answer?.kind === "bindings-found" && answer.result.kind === "found" ? answer.result : undefined
  }

  #resolve(ticket: number, { type, name }: DnsQuestion): void {
    this.handle({ kind: "resolved", ticket, records: this.farm.dns.get(`${type} ${name}`) ?? [] })
  }

  #store(request: StoreRequest): void {
    const answer = answerOf(this.farm, this.id, request)
    if (answer !== undefined) this.handle(answer)
  }

  #send(hop: Hop, bytes: Uint8Array, id: string): void {
    const { farm } = this
    const text = Buffer.from(bytes).toString("latin1")
    const node = hop.kind === "node" ? hop.node : hop.kind === "flow" ? hop.flow.node : undefined
    if (node !== undefined) {
      const other = farm.nodes.find((candidate) => candidate.id === node)!
      if (farm.dead.has(node) || farm.unreachable.has(node))
        this.handle({ kind: "send-failed", id, reason: "no such node", node })
      else other.handle({ kind: "received", bytes, flow: this.#flowTo(other) })
      return
    }
    const phone = farm.phones.find((candidate) => candidate.isAt(hop, this))
    if (phone) phone.inbox.push(text)
    else this.lost.push({ hop, text })
  }

  readonly #links = new Map<FarmNode, number>()

  #flowTo(other: FarmNode): Flow {
    const known = this.#links.get(other) ?? this.farm.nextConnection()
    this.#links.set(other, known)
    const [local, remote] = [other.host, this.host].map((host) => ({ host, port: 6084 }))
    return { transport: "TLS", local: local!, remote: remote!, connection: known, node: this.id }
  }
}

function answerOf(farm: Farm, self: string, request: StoreRequest): StoreAnswer | undefined {
  if (farm.storeFault === "silent") return undefined
  const { ticket } = request
  const unavailable = { kind: "unavailable", cause: "no holder answers" } as const
  const fault = farm.storeFault === undefined ? undefined : unavailable
  switch (request.kind) {
    case "find-subscriber": {
      const subscriber = farm.subscribers.get(request.name)
      const found = subscriber ? ({ kind: "present", subscriber } as const) : ({ kind: "absent" } as const)
      return { kind: "subscriber-found", ticket, result: fault ?? found }
    }
    case "find-bindings": {
      const entries = [...(farm.bindings.get(request.aor) ?? [])].map(([edge, entry]) => ({ edge, ...entry }))
      return { kind: "bindings-found", ticket, result: fault ?? { kind: "found", entries } }
    }
    case "store-bindings": {
      if (fault) return { kind: "bindings-stored", ticket, result: fault }
      const record = farm.bindings.get(request.aor) ?? new Map<string, BindingEntry>()
      farm.bindings.set(request.aor, record)
      const { bindings, tombstones, clearedBefore } = request.entry
      if (bindings.length + tombstones.length + clearedBefore === 0) record.delete(self)
      else record.set(self, request.entry)
      return { kind: "bindings-stored", ticket, result: { kind: "stored" } }
    }
  }
}

export interface RequestParts {
  readonly uri?: string
  readonly from?: string
  readonly to?: string
  readonly callId?: string
  readonly cseq?: number
  readonly headers?: readonly string[]
  readonly contact?: string
  readonly branch?: string
}

/** A user agent by hand: it says what it is told, and keeps what it hears. */
export class Phone {
  readonly user: string
  readonly transport: Transport
  readonly address: Address
  readonly inbox: string[] = []
  /** What it believes its address to be; behind a NAT, not what others see. */
  own: Address
  password = "secret"
  readonly #farm: Farm
  readonly #connections = new Map<FarmNode, number>()
  #branch = 0
  #cseq = 0
  #nonceCount = 0

  constructor(farm: Farm, user: string, transport: Transport, address: Address) {
    this.#farm = farm
    this.user = user
    this.transport = transport
    this.address = address
    this.own = address
  }

  get contact(): string {
    const parameter = this.transport === "UDP" ? "" : `;transport=${this.transport.toLowerCase()}`
    return `<sip:${this.user}@${this.own.host}:${this.own.port}${parameter}>`
  }

  flowTo(node: FarmNode): Flow {
    const connection =
      this.transport === "UDP" ? undefined : (this.#connections.get(node) ?? this.#farm.nextConnection())
    if (connection !== undefined) this.#connections.set(node, connection)
    const local = { host: node.host, port: 5060 }
    return { transport: this.transport, local, remote: this.address, connection, node: undefined }
  }

  /** A connection of that number, as after a restart the numbers begin anew. */
  connect(node: FarmNode, connection: number): void {
    this.#connections.set(node, connection)
  }

  hangUpConnection(node: FarmNode): void {
    const flow = this.flowTo(node)
    this.#connections.delete(node)
    node.handle({ kind: "flow-closed", flow })
  }

  /** Whether that hop, from that node, ends here. */
  isAt(hop: Hop, from: FarmNode): boolean {
    if (hop.kind === "node") return false
    const { host, port } = hop.kind === "flow" ? hop.flow.remote : hop.address
    if (host !== this.address.host || port !== this.address.port) return false
    if (this.transport === "UDP") return (hop.kind === "flow" ? hop.flow : hop).transport === "UDP"
    // Nobody can connect to this phone: it listens only on connections that it has made.
    return hop.kind === "flow" && hop.flow.connection === this.#connections.get(from)
  }

  send(node: FarmNode, text: string): void {
    node.handle({
      kind: "received",
      flow: this.flowTo(node),
      bytes: new Uint8Array(Buffer.from(text, "latin1")),
    })
  }

  text(method: string, parts: RequestParts = {}): string {
    const uri = parts.uri ?? `sip:${DOMAIN}`
    const cseq = parts.cseq ?? ++this.#cseq
    const { host, port } = this.own
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${this.transport} ${host}:${port};rport;branch=${parts.branch ?? `z9hG4bK${this.user}${++this.#branch}`}`,
      `From: ${parts.from ?? `<sip:${this.user}@${DOMAIN}>;tag=${this.user}`}`,
      `To: ${parts.to ?? `<sip:${this.user}@${DOMAIN}>`}`,
      `Call-ID: ${parts.callId ?? `${this.user}-call`}`,
      `CSeq: ${cseq} ${method}`,
      "Max-Forwards: 70",
      ...(parts.contact === "" ? [] : [`Contact: ${parts.contact ?? this.contact}`]),
      ...(parts.headers ?? []),
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n")
  }

  /** Sends a request and, where it is challenged, sends it again with the password. The last final answer. */
  ask(node: FarmNode, method: string, parts: RequestParts = {}): string {
    this.inbox.length = 0
    this.send(node, this.text(method, parts))
    const challenge = this.inbox.find((text) => /^SIP\/2.0 40[17] /.test(text))
    if (challenge === undefined) return this.lastAnswer()
    const headers = [
      ...(parts.headers ?? []),
      this.credentials(challenge, method, parts.uri ?? `sip:${DOMAIN}`),
    ]
    const cseq = parts.cseq === undefined ? {} : { cseq: parts.cseq + 1 }
    this.inbox.length = 0
    this.send(node, this.text(method, { ...parts, ...cseq, headers }))
    return this.lastAnswer()
  }

  lastAnswer = (): string => this.inbox.findLast((text) => text.startsWith("SIP/2.0 ")) ?? ""

  /** RFC 7616 §3.4 with qop=auth. */
  credentials(challenge: string, method: string, uri: string): string {
    const [, kind] = /^(WWW|Proxy)-Authenticate: /m.exec(challenge)!
    const nonce = /nonce="([^"]+)"/.exec(challenge)![1]!
    const count = (++this.#nonceCount).toString(16).padStart(8, "0")
    const secret = md5(`${this.user}:${DOMAIN}:${this.password}`)
    const response = md5(`${secret}:${nonce}:${count}:c0ffee:auth:${md5(`${method}:${uri}`)}`)
    const field = kind === "WWW" ? "Authorization" : "Proxy-Authorization"
    return (
      `${field}: Digest username="${this.user}", realm="${DOMAIN}", nonce="${nonce}", uri="${uri}", ` +
      `response="${response}", algorithm=MD5, qop=auth, nc=${count}, cnonce="c0ffee"`
    )
  }

  register(node: FarmNode, parts: RequestParts = {}): string {
    return this.ask(node, "REGISTER", { headers: ["Expires: 3600"], ...parts })
  }

  /** The latest request of that method that came in. */
  got(method: string): string {
    const found = this.inbox.findLast((text) => text.startsWith(`${method} `))
    assert.ok(found, `${this.user} got no ${method}, but:\n${this.inbox.join("\n")}`)
    return found
  }

  /** Answers a request that came in: all Vias, From, To, Call-ID, CSeq and Record-Routes as they came. */
  answer(node: FarmNode, request: string, status: string, headers: readonly string[] = []): void {
    const repeated = fieldsOf(request).filter((line) =>
      /^(Via|From|To|Call-ID|CSeq|Record-Route):/.test(line),
    )
    const tagged = repeated.map((line) =>
      line.startsWith("To:") && !line.includes(";tag=") ? `${line};tag=${this.user}` : line,
    )
    const lines = [`SIP/2.0 ${status}`, ...tagged, `Contact: ${this.contact}`, ...headers]
    this.send(node, [...lines, "Content-Length: 0", "", ""].join("\r\n"))
  }
}

export const fieldsOf = (text: string): readonly string[] => text.split("\r\n\r\n")[0]!.split("\r\n").slice(1)

/** All values of a header, a field each. */
export const valuesIn = (text: string, name: string): readonly string[] =>
  fieldsOf(text)
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).trim())

export const statusOf = (text: string): number => Number(/^SIP\/2.0 (\d{3})/.exec(text)?.[1])
