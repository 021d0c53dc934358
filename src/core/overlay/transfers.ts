import type { NodeId } from "../identity/node-id.ts"
import { after, type Instant, milliseconds } from "../kit/time.ts"
import type { ResourceId } from "../reload/header.ts"
import type { StoreKindData, StoreKindResponse } from "../reload/stored-data.ts"
import type { Fabric } from "./fabric.ts"
import type { Records } from "./records.ts"
import type { Reply, Requests } from "./requests.ts"

/** Copies on their way at once, at most: enough to keep links and disks busy, few enough to leave room for writes. */
const AT_ONCE = 32
/** The same as long as it is not known what the line bears. */
const AT_FIRST = 12
/** Bytes on their way at once, at most. Whatever is sent after them waits behind them. */
const BYTES_AT_ONCE = 65_536
/** A copy that takes longer to be confirmed tells of a line, a disk or a processor that has too much to do. */
const SLOW = milliseconds(600)
/** Fewer would fill no line, and only wait: where processors are short each copy takes long, however few there are. */
const AT_LEAST = 12
/** So many times as many may be on their way where no other copy is known: the next death may be ours. */
const HASTE = 2
/** Each copy that is confirmed sooner lets so much of one more be on its way. */
const GROWTH = 0.25
/** Bytes of values in one Store, where the overlay's max-message-size allows as many. */
const BYTES_IN_STORE = 24_576

interface Transfer {
  readonly resource: ResourceId
  readonly to: NodeId
  readonly done: Done
}

/** "answered": `to` has confirmed that it holds all that we held when it was sent. */
type Done = (result: Reply["kind"]) => void

/**
 * Sends whole records to other holders: after joins and deaths, and for repair. Paced by how soon they are confirmed: it
 * can all wait, and what shares the line with it, as a Ping that asks whether we live, can not. What cannot wait either are
 * records of which no other copy is known: they go before all others, and at twice the pace.
 */
export class Transfers {
  readonly #fabric: Fabric
  readonly #requests: Requests
  readonly #records: Records
  readonly #waiting: Transfer[] = []
  readonly #scarce: Transfer[] = []
  #underWay = 0
  #bytes = 0
  #most = AT_FIRST
  #slowedAt = 0 as Instant

  constructor(fabric: Fabric, requests: Requests, records: Records) {
    this.#fabric = fabric
    this.#requests = requests
    this.#records = records
  }

  get isBusy(): boolean {
    return this.#underWay > 0 || this.#waiting.length > 0 || this.#scarce.length > 0
  }

  get hasRoom(): boolean {
    return this.#isRoomFor(this.#most)
  }

  /** When there is room. */
  send(resource: ResourceId, to: NodeId, done: Done): void {
    this.#waiting.push({ resource, to, done })
    this.#next()
  }

  /** Before all others. */
  sendScarce(resource: ResourceId, to: NodeId, done: Done): void {
    this.#scarce.push({ resource, to, done })
    this.#next()
  }

  /** At once: somebody waits for it. */
  sendNow(resource: ResourceId, to: NodeId, done: Done): void {
    this.#underWay++
    this.#start({ resource, to, done })
  }

  #next(): void {
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      this.#underWay++
      this.#start(next)
    }
  }

  #take(): Transfer | undefined {
    this.#skipKnown()
    if (this.#scarce.length > 0) return this.#isRoomFor(HASTE * this.#most) ? this.#scarce.shift() : undefined
    return this.hasRoom ? this.#waiting.shift() : undefined
  }

  /** Who has offered it to us meanwhile is not sent it. */
  #skipKnown(): void {
    for (let [next] = this.#scarce; next !== undefined; [next] = this.#scarce) {
      if (!this.#records.isConfirmed(next.resource, next.to)) return
      this.#scarce.shift()
      next.done("answered")
    }
  }

  #isRoomFor(most: number): boolean {
    return this.#underWay < Math.floor(most) && this.#bytes < BYTES_AT_ONCE
  }

  #start({ resource, to, done }: Transfer): void {
    const { storage, now } = this.#fabric
    const version = this.#records.versionOf(resource)
    const parts = this.#parts(storage.copyOf(resource, now).kinds)
    const certificates = storage.certificatesFor(resource)
    // One part follows the other; each comes with the certificates.
    const bytes =
      Math.max(0, ...parts.map(sizeOf)) + certificates.reduce((sum, { length }) => sum + length, 0)
    this.#bytes += bytes
    let vouched: readonly NodeId[] | undefined
    const finish: Done = (result) => {
      if (result === "answered") this.#pace(now)
      this.#underWay--
      this.#bytes -= bytes
      if (result === "answered" && this.#records.versionOf(resource) === version)
        this.#confirm(resource, to, vouched ?? [])
      done(result)
      this.#next()
      if (!this.isBusy) this.#most = Math.min(this.#most, AT_FIRST)
    }
    const sendPart = (index: number): void => {
      const kinds = parts[index]
      if (kinds === undefined) return finish("answered")
      this.#requests.ask({
        to: { kind: "node", node: to },
        body: { kind: "store-req", resource, replicaNumber: 1, kinds },
        certificates,
        done: (reply) => {
          if (reply.kind === "answered") {
            const { body } = reply.received
            if (body.kind === "store-ans") vouched = namedByAll(body.kinds, vouched)
            return sendPart(index + 1)
          }
          if (reply.kind === "refused")
            this.#fabric.log("warn", "overlay.copy-refused", { resource, node: to, cause: reply.cause })
          finish(reply.kind)
        },
      })
    }
    sendPart(0)
  }

  /** The responsible peer tells who else holds it. Others would not know. */
  #confirm(resource: ResourceId, to: NodeId, vouched: readonly NodeId[]): void {
    this.#records.confirm(resource, to)
    if (this.#fabric.topology.responsible(resource) !== to) return
    for (const node of vouched) this.#records.confirm(resource, node)
  }

  /** A copy that was begun at that time has been confirmed. Those that were on their way beside it tell the same. */
  #pace(begun: Instant): void {
    const { now } = this.#fabric
    if (after(begun, SLOW) >= now) this.#most = Math.min(AT_ONCE, this.#most + GROWTH)
    else if (begun >= this.#slowedAt) {
      this.#most = Math.max(AT_LEAST, this.#most / 2)
      this.#slowedAt = now
    }
  }

  /** The same values in requests that each fit a message. Each StoredData begins with its length. */
  #parts(kinds: readonly StoreKindData[]): readonly (readonly StoreKindData[])[] {
    const limit = Math.min(BYTES_IN_STORE, Math.floor(this.#fabric.configuration.maxMessageSize / 3))
    if (sizeOf(kinds) <= limit) return kinds.length === 0 ? [] : [kinds]
    return kinds.flatMap((data) => cut(data.values, limit).map((values) => [{ ...data, values }]))
  }
}

const sizeOf = (kinds: readonly StoreKindData[]): number =>
  kinds.reduce((sum, { values }) => sum + values.length, 0)

/** Who is said to hold each of the Kinds, and of those before. */
function namedByAll(
  kinds: readonly StoreKindResponse[],
  before: readonly NodeId[] | undefined,
): readonly NodeId[] {
  const lists = [...kinds.map(({ replicas }) => replicas), ...(before === undefined ? [] : [before])]
  const [first = [], ...others] = lists
  return first.filter((node) => others.every((list) => list.includes(node)))
}

/** Lists of StoredData of at most `limit` bytes each, or one value. */
function cut(values: Uint8Array, limit: number): readonly Uint8Array[] {
  const view = new DataView(values.buffer, values.byteOffset, values.length)
  const pieces: Uint8Array[] = []
  let start = 0
  let end = 0
  while (end < values.length) {
    const next = end + 4 + view.getUint32(end)
    if (end > start && next - start > limit) {
      pieces.push(values.subarray(start, end))
      start = end
    }
    end = next
  }
  pieces.push(values.subarray(start, end))
  return pieces
}
