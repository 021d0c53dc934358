import { formatAddress } from "../../kit/address.ts"
import { invariant } from "../../kit/errors.ts"
import { Interned } from "../../kit/interned.ts"
import { isAscii, Packer, Unpacker } from "../../kit/packed.ts"
import { LATEST, readTime, writeTime } from "../../kit/row-times.ts"
import { Rows } from "../../kit/rows.ts"
import type { Instant } from "../../kit/time.ts"
import type { Flow } from "../../sip/transport.ts"
import type { Binding, EdgeBindings } from "../stores.ts"
import { identityOf } from "./bindings.ts"
import { type Implied, leadsOf, readContact, readEntries, times, writeEntries } from "./edge-bindings.ts"
import { connectionAt, EdgeFields, HELD, type HeldPlaces, transportAt } from "./edge-fields.ts"
import type { EdgeRecord, Held } from "./edge-record.ts"

// An EdgeRecord at rest. What a refresh asks for stands at fixed places, in front the record's, then those of each registration;
// behind them are texts: the AOR, the hosts that the phones came from, and the entries.
const COUNT = 0
const CHECK_DUE = 1
/** Which of our own bindings is all that counts: its number and one, or 0. */
const SOLE = 2
const CHECKED_AT = 3
/** Where the Contact of the first registration stands, and behind it its parameters; 0 where that is too far away. */
const CONTACT = 9
const FIRST_HELD = 11
const FARTHEST_CONTACT = 0xffff

const NO_BINDING = -1
/** Of our own entry; far more than one AOR may have. */
const MOST_BINDINGS = 255

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
  readonly fields = new EdgeFields()
  readonly #packer = new Packer()
  readonly #unpacker = new Unpacker()
  /** Where the AOR of a row is in `rows.memory`: see `seekAor`. */
  aorStart = 0
  aorEnd = 0
  /** Where the host of its first registration is: see `seekHost`. */
  hostStart = 0
  hostEnd = 0

  constructor(self: string) {
    this.#self = self
  }

  add(record: EdgeRecord): number {
    return this.rows.add(this.#write(record))
  }

  replace(row: number, record: EdgeRecord): void {
    this.rows.replace(row, this.#write(record))
  }

  aor(row: number): string {
    this.rows.seek(row)
    this.#toTexts()
    return this.#unpacker.text()
  }

  /** Says where the AOR stands, until a row is added, replaced or deleted. */
  seekAor(row: number): void {
    this.rows.seek(row)
    this.#toTexts()
    const unpacker = this.#unpacker
    const length = unpacker.count()
    this.aorStart = unpacker.at
    this.aorEnd = unpacker.at + length
  }

  isOf(row: number, aor: string): boolean {
    // Of other characters than ASCII there are more bytes.
    if (!isAscii(aor)) return this.aor(row) === aor
    this.rows.seek(row)
    this.#toTexts()
    return this.#isText(aor)
  }

  checkedAt(row: number): Instant {
    this.rows.seek(row)
    return readTime(this.rows.view, this.rows.at + CHECKED_AT)
  }

  isCheckDue(row: number): boolean {
    this.rows.seek(row)
    return this.rows.memory[this.rows.at + CHECK_DUE] === 1
  }

  /** The record is to be read CHECK_EVERY after that. */
  setCheckDue(row: number, checkedAt: Instant): void {
    this.rows.seek(row)
    const { view, at } = this.rows
    view.setUint8(at + CHECK_DUE, 1)
    writeTime(view, at + CHECKED_AT, checkedAt)
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
      transportAt(view, place) !== transport ||
      connectionAt(view, place) !== connection
    )
      return false
    const near = this.#near[view.getUint16(place + HELD.near)]!
    const isNear = near.local === local || (near.local.host === local.host && near.local.port === local.port)
    if (!isNear || near.node !== node) return false
    this.#toTexts()
    this.#unpacker.skip()
    return this.#isText(remote.host)
  }

  /** The Contact of the first registration and its parameters, by where their bytes are in `rows.memory`; and its q. */
  contact(row: number) {
    this.rows.seek(row)
    const { view, memory, at } = this.rows
    this.#unpacker.begin(memory, at + view.getUint16(at + CONTACT))
    return readContact(this.#unpacker)
  }

  /** Also where the host stands that the first registration came from. */
  seekHost(row: number): void {
    this.seekAor(row)
    const unpacker = this.#unpacker
    unpacker.at = this.aorEnd
    const length = unpacker.count()
    this.hostStart = unpacker.at
    this.hostEnd = unpacker.at + length
  }

  read(row: number): EdgeRecord {
    this.rows.seek(row)
    const { view, memory, at } = this.rows
    const unpacker = this.#unpacker
    const places = this.#places()
    this.#toTexts()
    const aor = unpacker.text()
    const flows = places.map((place) => this.#readFlow(view, place, unpacker.text()))
    const implied = new Map<number, Implied>()
    for (const [index, place] of places.entries())
      implied.set(
        view.getUint8(place + HELD.binding),
        impliedBy(aor, flows[index]!, readTime(view, place + HELD.promised)),
      )
    const entries = readEntries(unpacker, this.#edges, (edge, binding) =>
      edge === this.#self ? implied.get(binding) : undefined,
    )
    const own = this.#ownOf(entries)
    const sole = memory[at + SOLE]!
    return {
      aor,
      entries,
      soleVersion: sole === 0 ? 0 : own[sole - 1]!.version,
      checkedAt: readTime(view, at + CHECKED_AT),
      isCheckDue: memory[at + CHECK_DUE] === 1,
      held: places.map((place, index) => {
        const binding = own[view.getUint8(place + HELD.binding)]
        invariant(binding !== undefined, "what is registered here stands in our entry")
        const identity = identityOf(binding)
        return { aor, identity, binding, flow: flows[index]!, ...this.fields.read(view, place) }
      }),
    }
  }

  #write(record: EdgeRecord): Uint8Array {
    const { aor, entries, held, soleVersion } = record
    const own = this.#ownOf(entries)
    const places = held.map((each) => this.#placesOf(each, own, record))
    const sizes = held.map((each, index) => this.fields.sizeFor(each, places[index]!))
    const packer = this.#packer
    packer.begin(FIRST_HELD + sizes.reduce((sum, size) => sum + size, 0))
    packer.text(aor)
    for (const { flow } of held) packer.text(flow.remote.host)
    const implied = new Map(
      places.map(({ binding, promised }, index) => [binding, impliedBy(aor, held[index]!.flow, promised)]),
    )
    const contact = writeEntries(
      packer,
      this.#edges,
      entries,
      (edge, binding) => (edge === this.#self ? implied.get(binding) : undefined),
      own[places[0]?.binding ?? NO_BINDING],
    )
    const bytes = packer.end()
    const view = new DataView(bytes.buffer)
    const isNear = contact <= FARTHEST_CONTACT
    bytes[COUNT] = held.length
    bytes[CHECK_DUE] = Number(record.isCheckDue)
    bytes[SOLE] = soleVersion === 0 ? 0 : own.findIndex(({ version }) => version === soleVersion) + 1
    writeTime(view, CHECKED_AT, record.checkedAt)
    view.setUint16(CONTACT, isNear ? contact : 0)
    let place = FIRST_HELD
    for (const [index, each] of held.entries()) {
      const its = places[index]!
      this.fields.write(view, place, each, { ...its, isSole: its.isSole && isNear })
      place += sizes[index]!
    }
    return bytes
  }

  #placesOf({ binding, identity, flow }: Held, own: readonly Binding[], record: EdgeRecord): HeldPlaces {
    const { transport, local, remote, connection, node } = flow
    const number = own.findIndex((each) => each.version === binding.version && identityOf(each) === identity)
    invariant(number >= 0 && number < MOST_BINDINGS, "what is registered here stands in our entry")
    const near = this.#nearNames.numberOf(`${local.host} ${local.port} ${node}`)
    this.#near[near] ??= { local, node }
    return {
      ...{ transport, connection, near, port: remote.port, binding: number },
      promised: Math.min(own[number]!.expires, LATEST) as Instant,
      hasPath: binding.path.length > 0,
      isSole: record.soleVersion === binding.version,
      isAlone: record.held.length === 1,
    }
  }

  #readFlow(view: DataView, place: number, host: string): Flow {
    return {
      transport: transportAt(view, place),
      remote: { host, port: view.getUint16(place + HELD.port) },
      connection: connectionAt(view, place),
      ...this.#near[view.getUint16(place + HELD.near)]!,
    }
  }

  #ownOf(entries: readonly EdgeBindings[]): readonly Binding[] {
    return entries.find(({ edge }) => edge === this.#self)?.bindings ?? []
  }

  /** To the texts of the row that was sought, which are behind its registrations. */
  #toTexts(): void {
    const { view, memory, at } = this.rows
    let end = at + FIRST_HELD
    for (let left = memory[at + COUNT]!; left > 0; left--) end = this.fields.end(view, end)
    this.#unpacker.begin(memory, end)
  }

  /** The places of its registrations. */
  #places(): readonly number[] {
    const { view, memory, at } = this.rows
    let end = at + FIRST_HELD
    return times(memory[at + COUNT]!, () => {
      const place = end
      end = this.fields.end(view, place)
      return place
    })
  }

  /** Whether that ASCII text is the next. */
  #isText(text: string): boolean {
    const unpacker = this.#unpacker
    return unpacker.count() === text.length && startsWith(this.rows.memory, unpacker.at, text)
  }
}

function impliedBy(aor: string, { transport, remote }: Flow, expires: number): Implied {
  const source = formatAddress(remote)
  return { transport, expires, source, leads: leadsOf(aor, source) }
}

function startsWith(memory: Uint8Array, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (memory[start + at] !== text.charCodeAt(at)) return false
  return true
}
