import { invariant } from "../../kit/errors.ts"
import { Interned } from "../../kit/interned.ts"
import { isAscii, Packer, Unpacker } from "../../kit/packed.ts"
import { Rows } from "../../kit/rows.ts"
import { type Instant, NEVER } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Binding, EdgeBindings, Tombstone } from "../stores.ts"
import { identityOf } from "./bindings.ts"
import {
  HELD,
  HELD_BYTES,
  readBinding,
  readRegistration,
  TRANSPORTS,
  times,
  writeBinding,
  writeRegistration,
} from "./edge-fields.ts"
import type { EdgeRecord } from "./edge-record.ts"

// An EdgeRecord at rest. What a refresh asks for stands at fixed places, in front the record's, then those of each registration;
// behind them are texts: the AOR, the hosts that the phones came from, and the entries.
const COUNT = 0
const CHECK_AT = 2
const CHECKED_AT = 10
const SOLE_VERSION = 18
/** Where the Contact of the first registration stands, and behind it its parameters. */
const CONTACT = 26
const FIRST_HELD = 30

const NO_CONNECTION = -1

/** The node's own end of a flow. */
interface Near {
  readonly local: Flow["local"]
  readonly node: string | undefined
}

/** EdgeRecords as rows of bytes. */
export class EdgeRows {
  readonly rows = new Rows()
  readonly #self: string
  readonly #edges = new Interned<string>()
  readonly #nearNames = new Interned<string>()
  readonly #near: Near[] = []
  readonly #packer = new Packer()
  readonly #unpacker = new Unpacker()
  /** Where the AOR of a row is in `rows.memory`: see `seekAor`. */
  aorStart = 0
  aorEnd = 0

  constructor(self: string) {
    this.#self = self
  }

  add(record: EdgeRecord): number {
    return this.rows.add(this.#write(record))
  }

  replace(row: number, record: EdgeRecord): void {
    this.rows.replace(row, this.#write(record))
  }

  /** How many registrations the row has. */
  count(row: number): number {
    this.rows.seek(row)
    return this.rows.memory[this.rows.at + COUNT]!
  }

  aor(row: number): string {
    return this.#textAt(row, FIRST_HELD + this.count(row) * HELD_BYTES)
  }

  /** Says where the AOR stands, until a row is added, replaced or deleted. */
  seekAor(row: number): void {
    const count = this.count(row)
    const { view, memory, at } = this.rows
    const unpacker = this.#unpacker
    unpacker.begin(memory, view, at + FIRST_HELD + count * HELD_BYTES)
    const length = unpacker.count()
    this.aorStart = unpacker.at
    this.aorEnd = unpacker.at + length
  }

  isOf(row: number, aor: string): boolean {
    const count = this.count(row)
    const { view, memory, at } = this.rows
    const unpacker = this.#unpacker
    unpacker.begin(memory, view, at + FIRST_HELD + count * HELD_BYTES)
    const length = unpacker.count()
    // Of other characters than ASCII there are more bytes.
    if (!isAscii(aor)) return this.aor(row) === aor
    return length === aor.length && startsWith(memory, unpacker.at, aor)
  }

  checkAt(row: number): Instant {
    return this.rows.double(row, CHECK_AT) as Instant
  }

  checkedAt(row: number): Instant {
    return this.rows.double(row, CHECKED_AT) as Instant
  }

  setCheckAt(row: number, at: Instant): void {
    this.rows.setDouble(row, CHECK_AT, at)
  }

  /** The place of the row's first registration in `rows.view`, until something is added, replaced or deleted. */
  first(row: number): number {
    this.rows.seek(row)
    return this.rows.at + FIRST_HELD
  }

  /** Whether the first registration came over this flow. */
  isFrom(row: number, { transport, local, remote, connection, node }: Flow): boolean {
    const place = this.first(row)
    const { view } = this.rows
    if (
      view.getUint16(place + HELD.port) !== remote.port ||
      TRANSPORTS[view.getUint8(place + HELD.transport)] !== transport ||
      view.getFloat64(place + HELD.connection) !== (connection ?? NO_CONNECTION)
    )
      return false
    const near = this.#near[view.getUint16(place + HELD.near)]!
    const isNear = near.local === local || (near.local.host === local.host && near.local.port === local.port)
    return isNear && near.node === node && this.#isHost(place, remote.host)
  }

  /** The Contact of the first registration and its parameters, by where their bytes are in `rows.memory`; and its q. */
  contact(row: number) {
    this.rows.seek(row)
    const { view, at } = this.rows
    const unpacker = this.#unpacker
    unpacker.begin(this.rows.memory, view, at + view.getUint32(at + CONTACT))
    const length = unpacker.count()
    const start = unpacker.at
    unpacker.at += length
    const parametersLength = unpacker.count()
    const parametersStart = unpacker.at
    unpacker.at += parametersLength
    const parametersEnd = unpacker.at
    return { start, end: start + length, parametersStart, parametersEnd, q: unpacker.count() }
  }

  read(row: number): EdgeRecord {
    const { rows } = this
    rows.seek(row)
    const { view, memory, at } = rows
    const unpacker = this.#unpacker
    const count = memory[at + COUNT]!
    unpacker.begin(memory, view, at + FIRST_HELD + count * HELD_BYTES)
    const aor = unpacker.text()
    const hosts = Array.from({ length: count }, () => unpacker.text())
    const entries = this.#readEntries()
    const own = entries.find(({ edge }) => edge === this.#self)?.bindings ?? []
    return {
      aor,
      entries,
      soleVersion: view.getFloat64(at + SOLE_VERSION),
      checkedAt: view.getFloat64(at + CHECKED_AT) as Instant,
      checkAt: view.getFloat64(at + CHECK_AT) as Instant,
      held: hosts.map((host, index) => {
        const place = at + FIRST_HELD + index * HELD_BYTES
        const binding = own[view.getUint16(place + HELD.binding)]
        invariant(binding !== undefined, "what is registered here stands in our entry")
        return {
          aor,
          identity: identityOf(binding),
          binding,
          flow: this.#readFlow(place, host),
          ...readRegistration(rows, place),
        }
      }),
    }
  }

  #write(record: EdgeRecord): Uint8Array {
    const { aor, entries, held, soleVersion } = record
    const packer = this.#packer
    packer.begin(FIRST_HELD + held.length * HELD_BYTES)
    packer.text(aor)
    const hosts = held.map(({ flow }) => {
      const place = packer.at
      packer.text(flow.remote.host)
      return place
    })
    const own = entries.find(({ edge }) => edge === this.#self)?.bindings ?? []
    const bindings = held.map(({ binding, identity }) =>
      own.findIndex((each) => each.version === binding.version && identityOf(each) === identity),
    )
    const contact = this.#writeEntries(entries, own[bindings[0]!])
    const bytes = packer.end()
    const view = new DataView(bytes.buffer)
    bytes[COUNT] = held.length
    view.setFloat64(CHECK_AT, record.checkAt)
    view.setFloat64(CHECKED_AT, record.checkedAt)
    view.setFloat64(SOLE_VERSION, soleVersion)
    view.setUint32(CONTACT, contact)
    for (const [index, each] of held.entries()) {
      const place = FIRST_HELD + index * HELD_BYTES
      invariant(bindings[index]! >= 0, "what is registered here stands in our entry")
      view.setUint16(place + HELD.binding, bindings[index]!)
      view.setUint16(place + HELD.host, hosts[index]!)
      this.#writeFlow(view, place, each.flow)
      writeRegistration(view, bytes, place, each, soleVersion)
    }
    return bytes
  }

  #writeFlow(view: DataView, place: number, { transport, local, remote, connection, node }: Flow): void {
    const number = this.#nearNames.numberOf(`${local.host} ${local.port} ${node}`)
    this.#near[number] ??= { local, node }
    view.setUint8(place + HELD.transport, TRANSPORTS.indexOf(transport))
    view.setUint16(place + HELD.near, number)
    view.setUint16(place + HELD.port, remote.port)
    view.setFloat64(place + HELD.connection, connection ?? NO_CONNECTION)
  }

  #readFlow(place: number, host: string): Flow {
    const { view } = this.rows
    const connection = view.getFloat64(place + HELD.connection)
    return {
      transport: TRANSPORTS[view.getUint8(place + HELD.transport)]!,
      remote: { host, port: view.getUint16(place + HELD.port) },
      connection: connection === NO_CONNECTION ? undefined : connection,
      ...this.#near[view.getUint16(place + HELD.near)]!,
    }
  }

  #isHost(place: number, host: string): boolean {
    const { view, memory, at } = this.rows
    const unpacker = this.#unpacker
    unpacker.begin(memory, view, at + view.getUint16(place + HELD.host))
    if (unpacker.count() !== host.length) return false
    return startsWith(memory, unpacker.at, host)
  }

  #textAt(row: number, offset: number): string {
    this.rows.seek(row)
    const { view, memory, at } = this.rows
    this.#unpacker.begin(memory, view, at + offset)
    return this.#unpacker.text()
  }

  /** Where `marked` stands. */
  #writeEntries(entries: readonly EdgeBindings[], marked: Binding | undefined): number {
    const packer = this.#packer
    let place = 0
    packer.count(entries.length)
    for (const { edge, clearedBefore, bindings, tombstones } of entries) {
      packer.count(this.#edges.numberOf(edge))
      packer.double(clearedBefore)
      packer.count(bindings.length)
      for (const binding of bindings) {
        if (binding === marked) place = packer.at
        writeBinding(packer, binding)
      }
      packer.count(tombstones.length)
      for (const { identity, version, expires } of tombstones) {
        packer.text(identity)
        packer.double(version)
        packer.double(expires)
      }
    }
    return place
  }

  #readEntries(): readonly EdgeBindings[] {
    const unpacker = this.#unpacker
    return times(unpacker.count(), () => ({
      edge: this.#edges.of(unpacker.count()),
      clearedBefore: unpacker.double(),
      bindings: times(unpacker.count(), () => readBinding(unpacker)),
      tombstones: times(
        unpacker.count(),
        (): Tombstone => ({
          identity: unpacker.text(),
          version: unpacker.double(),
          expires: unpacker.double(),
        }),
      ),
    }))
  }
}

function startsWith(memory: Uint8Array, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (memory[start + at] !== text.charCodeAt(at)) return false
  return true
}

/** When something of the record is due next. */
export const dueAt = ({ checkAt, held }: EdgeRecord): Instant =>
  Math.min(checkAt, ...held.map(({ expires, keepOpenAt }) => Math.min(expires, keepOpenAt)), NEVER) as Instant
