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
  readonly body: Uint8Array
}

/** 1xx are provisional, 200 to 699 final. */
export interface SipResponse {
  readonly kind: "response"
  readonly status: number
  readonly reason: string
  readonly headers: Headers
  readonly body: Uint8Array
}

export type SipMessage = SipRequest | SipResponse

export const isFinal = (response: { readonly status: number }) => response.status >= 200

export const NO_BODY = new Uint8Array()

export interface CSeq {
  readonly number: number
  readonly method: string
}

/** What `fields.ts` has read of a message already: the same few fields are asked for again and again. */
export interface Readings {
  vias: readonly Via[] | undefined
  from: NameAddress | undefined
  to: NameAddress | undefined
  cseq: CSeq | undefined
}

/** Header fields in their order. Never changed: every change makes another one. */
export class Headers {
  readonly fields: readonly HeaderField[]
  #readings: Readings | undefined

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields
  }

  get readings(): Readings {
    this.#readings ??= { vias: undefined, from: undefined, to: undefined, cseq: undefined }
    return this.#readings
  }

  /**
   * Other fields in the place of these, which say the same where they have been read, but for
   * `changed`: a tenth of what a call costs is saved by not reading them again.
   */
  derive(fields: readonly HeaderField[], changed?: keyof Readings): Headers {
    const derived = new Headers(fields)
    if (this.#readings === undefined) return derived
    derived.#readings = { ...this.#readings }
    if (changed !== undefined) derived.#readings[changed] = undefined
    return derived
  }

  /** The value of the first field of that name, in any case of letters. */
  first(name: string): string | undefined {
    for (const field of this.fields) if (isNamed(field, name)) return field.value
    return undefined
  }

  /** The values of all fields of that name, a field each, commas unsplit. */
  all(name: string): readonly string[] {
    const values: string[] = []
    for (const field of this.fields) if (isNamed(field, name)) values.push(field.value)
    return values
  }

  has(name: string): boolean {
    return this.first(name) !== undefined
  }

  /** Puts `value` in the place of the first field of that name, and drops the others; appends if none. */
  with(name: string, value: string): Headers {
    const at = this.fields.findIndex((field) => isNamed(field, name))
    if (at < 0) return this.append(name, value)
    const others = this.fields.filter((field, index) => index === at || !isNamed(field, name))
    return new Headers(others.map((field) => (isNamed(field, name) ? { name, value } : field)))
  }

  without(name: string): Headers {
    return this.has(name) ? new Headers(this.fields.filter((field) => !isNamed(field, name))) : this
  }

  append(name: string, value: string): Headers {
    return new Headers([...this.fields, { name, value }])
  }

  prepend(name: string, value: string): Headers {
    return new Headers([{ name, value }, ...this.fields])
  }
}

const isNamed = (field: HeaderField, name: string) =>
  field.name === name ||
  (field.name.length === name.length && field.name.toLowerCase() === name.toLowerCase())
