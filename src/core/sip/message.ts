import { headerDefinition } from "./header-table.ts"
import type { NameAddress } from "./name-address.ts"
import type { Via } from "./via.ts"

// What a SIP message is to all rooms. RFC 3261 §7. Text is latin1: a character is a byte of the wire.

export interface HeaderField {
  /** As the header table spells it (`Call-ID`), whatever came in; unknown names as they came. */
  readonly name: string
  /** Folds undone, outer white space gone, otherwise as it came. */
  readonly value: string
}

export interface SipRequest {
  readonly kind: "request"
  readonly method: string
  /** The Request-URI as it came. */
  readonly uri: string
  readonly headers: Headers
  readonly body: string
}

/** 1xx are provisional, 200 to 699 final. */
export interface SipResponse {
  readonly kind: "response"
  readonly status: number
  readonly reason: string
  readonly headers: Headers
  readonly body: string
  /** Where it goes on as it came: all that anybody has to know of it. Then nothing else of it has been read. */
  readonly onward?: Onward
}

/** A response on its way back, without the Via by which it came here. RFC 3261 §16.7 step 3. */
export interface Onward {
  /** Of that Via. */
  readonly branch: string
  /** Of the request. */
  readonly method: string
  /** Of To, in a final response. */
  readonly toTag: string | undefined
  readonly bytes: Uint8Array
}

export type SipMessage = SipRequest | SipResponse

export const isFinal = (response: { readonly status: number }) => response.status >= 200

export const NO_BODY = ""

export interface CSeq {
  readonly number: number
  readonly method: string
}

/** `*` alone, or the contacts in their order. */
export type Contacts = "*" | readonly NameAddress[]

/** Where the header fields of a message stand in its text, as `parse.ts` found them. */
export interface FieldTable {
  readonly text: string
  readonly names: readonly string[]
  /**
   * Three numbers a field: where its line begins, where its value begins and ends. Instead of the first, -1
   * for a line that is not written as we would write it.
   */
  readonly places: readonly number[]
  /** Values that do not stand in the text as they read, since they were folded. */
  readonly unfolded: ReadonlyMap<number, string> | undefined
}

/** A field of the table by its number, or one that was put beside or in the place of those. */
type Item = number | HeaderField

const NO_TABLE: FieldTable = { text: "", names: [], places: [], unfolded: undefined }

/** 0 to n - 1, for many n: the items of messages that nobody has changed. */
const COUNTED = Array.from({ length: 64 }, (_, count) => Array.from({ length: count }, (_, at) => at))

/**
 * Header fields in their order. Never changed: every change makes another one.
 *
 * What came in stays one text, and a value is cut out of it when somebody asks: most of a message that is
 * relayed is only copied, in one piece (docs/performance.md).
 */
export class Headers {
  readonly #items: readonly Item[]
  readonly #table: FieldTable
  // What `fields.ts` has read already: the same few fields are asked for again and again.
  vias: readonly Via[] | undefined = undefined
  from: NameAddress | undefined = undefined
  to: NameAddress | undefined = undefined
  cseq: CSeq | undefined = undefined
  contacts: Contacts | undefined = undefined
  routes: readonly NameAddress[] | undefined = undefined

  /** `table`: what the numbers among `items` mean. */
  constructor(items: readonly Item[], table: FieldTable = NO_TABLE) {
    this.#items = items
    this.#table = table
  }

  /** All fields of a table. */
  static over(table: FieldTable): Headers {
    const count = table.names.length
    return new Headers(COUNTED[count] ?? Array.from({ length: count }, (_, at) => at), table)
  }

  get length(): number {
    return this.#items.length
  }

  /** All of them, each as an object: for what is rare. */
  get fields(): readonly HeaderField[] {
    return this.#items.map((item) =>
      typeof item === "number" ? { name: this.#table.names[item]!, value: this.#valueOf(item) } : item,
    )
  }

  nameAt(index: number): string {
    return this.#nameOf(this.#items[index]!)
  }

  valueAt(index: number): string {
    return this.#valueOf(this.#items[index]!)
  }

  /** Of the first field of that name at `from` or behind; -1 where there is none. Names as the header table spells them. */
  indexOf(name: string, from = 0): number {
    const items = this.#items
    for (let index = from; index < items.length; index++)
      if (this.#nameOf(items[index]!) === name) return index
    return headerDefinition(name)?.name === name ? -1 : this.#indexInAnyCase(name, from)
  }

  /** The value of the first field of that name, in any case of letters. */
  first(name: string): string | undefined {
    const index = this.indexOf(name)
    return index < 0 ? undefined : this.valueAt(index)
  }

  /** The values of all fields of that name, a field each, commas unsplit. */
  all(name: string): readonly string[] {
    const first = this.indexOf(name)
    if (first < 0) return []
    const values = [this.valueAt(first)]
    for (let index = first + 1; index < this.#items.length; index++)
      if (isNamed(this.nameAt(index), name)) values.push(this.valueAt(index))
    return values
  }

  has(name: string): boolean {
    return this.indexOf(name) >= 0
  }

  /** Puts `value` in the place of the first field of that name, and drops the others; appends if none. */
  with(name: string, value: string): Headers {
    const at = this.indexOf(name)
    if (at < 0) return this.append(name, value)
    const items = this.#items.filter((item, index) => index <= at || !isNamed(this.#nameOf(item), name))
    items[at] = { name, value }
    return this.#derive(items, name)
  }

  /** Puts `value` in the place of one field, or takes it off. */
  withAt(index: number, value: string | undefined): Headers {
    const items = [...this.#items]
    const name = this.nameAt(index)
    if (value === undefined) items.splice(index, 1)
    else items[index] = { name, value }
    return this.#derive(items, name)
  }

  without(name: string): Headers {
    if (!this.has(name)) return this
    const others = this.#items.filter((item) => !isNamed(this.#nameOf(item), name))
    return this.#derive(others, name)
  }

  /** Those whose name passes. */
  filter(passes: (name: string) => boolean): Headers {
    const kept = this.#items.filter((item) => passes(this.#nameOf(item)))
    return kept.length === this.#items.length ? this : this.#derive(kept, undefined)
  }

  append(name: string, value: string): Headers {
    return this.#derive([...this.#items, { name, value }], name)
  }

  prepend(name: string, value: string): Headers {
    return this.#derive([{ name, value }, ...this.#items], name)
  }

  /** More fields before and behind. */
  between(before: readonly HeaderField[], behind: readonly HeaderField[]): Headers {
    const derived = this.#derive([...before, ...this.#items, ...behind], undefined)
    for (const { name } of before) derived.#forget(name)
    for (const { name } of behind) derived.#forget(name)
    return derived
  }

  /** The lines of all fields, each with its end. Line breaks within a value become spaces: nobody writes a header through ours. */
  toString(): string {
    const { text, places } = this.#table
    let written = ""
    // A run of lines that stand in the text one behind the other.
    let start = 0
    let end = 0
    for (const item of this.#items) {
      if (typeof item === "number" && places[3 * item]! >= 0) {
        if (places[3 * item] !== end) {
          if (end > start) written += text.slice(start, end)
          start = places[3 * item]!
        }
        end = places[3 * item + 2]! + 2
        continue
      }
      if (end > start) written += text.slice(start, end)
      start = end
      written += `${this.#nameOf(item)}: ${oneLine(this.#valueOf(item))}\r\n`
    }
    return end > start ? written + text.slice(start, end) : written
  }

  #nameOf(item: Item): string {
    return typeof item === "number" ? this.#table.names[item]! : item.name
  }

  #valueOf(item: Item): string {
    if (typeof item !== "number") return item.value
    const { text, places, unfolded } = this.#table
    return unfolded?.get(item) ?? text.slice(places[3 * item + 1], places[3 * item + 2])
  }

  #indexInAnyCase(name: string, from: number): number {
    const wanted = headerDefinition(name)?.name ?? name
    return this.#items.findIndex((item, index) => index >= from && isNamed(this.#nameOf(item), wanted))
  }

  /** Other items, which say the same where they have been read, but for the fields of that name. */
  #derive(items: readonly Item[], changed: string | undefined): Headers {
    const derived = new Headers(items, this.#table)
    derived.vias = this.vias
    derived.from = this.from
    derived.to = this.to
    derived.cseq = this.cseq
    derived.contacts = this.contacts
    derived.routes = this.routes
    if (changed !== undefined) derived.#forget(changed)
    return derived
  }

  #forget(name: string): void {
    if (name === "Via") this.vias = undefined
    else if (name === "From") this.from = undefined
    else if (name === "To") this.to = undefined
    else if (name === "CSeq") this.cseq = undefined
    else if (name === "Contact") this.contacts = undefined
    else if (name === "Route") this.routes = undefined
  }
}

const isNamed = (field: string, name: string): boolean =>
  field === name || (field.length === name.length && field.toLowerCase() === name.toLowerCase())

const BREAKS = /[\r\n]/g

/** Line breaks become spaces. */
export const oneLine = (text: string): string =>
  text.includes("\n") || text.includes("\r") ? text.replaceAll(BREAKS, " ") : text
