import { FormatError } from "../kit/errors.ts"
import { Reader } from "./reader.ts"
import { Writer } from "./writer.ts"

/**
 * How one kind of value looks on the wire.
 *
 * Codecs are declared, not programmed, in the words of the presentation language of
 * RFC 6940 §6.3.1: a structure of the RFC and its codec read alike, line by line.
 */
export interface Codec<T> {
  read(from: Reader): T
  write(value: T, to: Writer): void
}

/** The TypeScript type of what a codec reads. */
export type Value<C> = C extends Codec<infer T> ? T : never

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer()
  codec.write(value, writer)
  return writer.finish()
}

/** Reads all of `bytes`. `name` is what a DecodeError calls the message. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array, name: string): T {
  const reader = new Reader(bytes, name)
  return reader.frame(bytes.length, () => codec.read(reader))
}

/**
 * The same for who looks at the fields and lets go of them, or holds on to `bytes` anyway: those of more than 64 bytes are views
 * on `bytes`, since a copy of each would be dear.
 */
export function decodeViews<T>(codec: Codec<T>, bytes: Uint8Array, name: string): T {
  const reader = new Reader(bytes, name, true)
  return reader.frame(bytes.length, () => codec.read(reader))
}

/** An unsigned integer, which may also stand as the length in front of something else. */
export interface Unsigned extends Codec<number> {
  readonly size: number
}

const unsigned = (size: number): Unsigned => ({
  size,
  read: (from) => from.unsigned(size),
  write: (value, to) => to.unsigned(size, value),
})

export const u8 = unsigned(1)
export const u16 = unsigned(2)
export const u24 = unsigned(3)
export const u32 = unsigned(4)

/**
 * 64 bits, as a number: times in milliseconds and counters. What a number cannot hold exactly is
 * refused as nonsense; identifiers of 64 bits are `fixed(8)`.
 */
export const u64: Codec<number> = {
  read(from) {
    const value = from.unsigned(4) * 2 ** 32 + from.unsigned(4)
    if (!Number.isSafeInteger(value)) throw from.fail("exceeds 2^53")
    return value
  },
  write: (value, to) => to.unsigned(8, value),
}

export const boolean: Codec<boolean> = {
  read(from) {
    const value = from.unsigned(1)
    if (value > 1) throw from.fail(`${value} is no Boolean`)
    return value === 1
  },
  write: (value, to) => to.unsigned(1, value ? 1 : 0),
}

/** Exactly `count` bytes: `opaque x[count]`. */
export const fixed = (count: number): Codec<Uint8Array> => ({
  read: (from) => from.bytes(count),
  write: (value, to) => to.bytes(value),
})

/** Bytes behind their length: `opaque x<0..2^16-1>` is `opaque(u16)`. */
export const opaque = (length: Unsigned): Codec<Uint8Array> => ({
  read: (from) => from.bytes(from.unsigned(length.size)),
  write(value, to) {
    to.unsigned(length.size, value.length)
    to.bytes(value)
  },
})

/** Opaque bytes that hold UTF-8. */
export function text(length: Unsigned): Codec<string> {
  const bytes = opaque(length)
  return {
    read(from) {
      const value = bytes.read(from)
      try {
        return utf8.decode(value)
      } catch {
        throw from.fail("is not UTF-8")
      }
    },
    write: (value, to) => bytes.write(utf8Encoder.encode(value), to),
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })
const utf8Encoder = new TextEncoder()

/** Elements behind their length in bytes: `Thing x<0..2^16-1>` is `list(u16, Thing)`. */
export const list = <T>(length: Unsigned, element: Codec<T>): Codec<readonly T[]> => ({
  read(from) {
    const outerEnd = from.open(from.unsigned(length.size))
    const elements: T[] = []
    while (from.remaining > 0) {
      from.enter(elements.length)
      elements.push(element.read(from))
      from.leave()
    }
    from.close(outerEnd)
    // One that has grown has room for sixteen more, and records are kept by the hundred thousand.
    return elements.slice()
  },
  write(elements, to) {
    const start = to.open(length.size)
    for (const each of elements) element.write(each, to)
    to.close(length.size, start)
  },
})

/** A value behind its own length in bytes. */
export const framed = <T>(length: Unsigned, content: Codec<T>): Codec<T> => ({
  read(from) {
    const outerEnd = from.open(from.unsigned(length.size))
    const value = content.read(from)
    from.close(outerEnd)
    return value
  },
  write(value, to) {
    const start = to.open(length.size)
    content.write(value, to)
    to.close(length.size, start)
  },
})

/** The same bytes, seen as something handier. `parse` throws `FormatError` for what is none. */
export const mapped = <T, U>(codec: Codec<T>, parse: (raw: T) => U, print: (value: U) => T): Codec<U> => ({
  read(from) {
    const raw = codec.read(from)
    try {
      return parse(raw)
    } catch (cause) {
      if (cause instanceof FormatError) throw from.fail(cause.message)
      throw cause
    }
  },
  write: (value, to) => codec.write(print(value), to),
})

/** Names for numbers: `enum { host(1), relay(4) }`. */
export function enumeration<const Codes extends Record<string, number>>(
  number: Unsigned,
  codes: Codes,
): Codec<Extract<keyof Codes, string>> {
  type Name = Extract<keyof Codes, string>
  const names = new Map(Object.entries(codes).map(([name, code]) => [code, name as Name]))
  return {
    read(from) {
      const code = from.unsigned(number.size)
      const name = names.get(code)
      if (name === undefined) throw from.fail(`${code} is not one of ${Object.keys(codes).join(", ")}`)
      return name
    },
    write: (name, to) => to.unsigned(number.size, codes[name]!),
  }
}

type Fields = Readonly<Record<string, Codec<any>>>
type Struct<F extends Fields> = { readonly [Name in keyof F]: Value<F[Name]> }

/** Fields, one after the other. */
export function struct<const F extends Fields>(fields: F): Codec<Struct<F>> {
  const entries = Object.entries(fields).map(([name, codec]) => ({ name, step: `.${name}`, codec }))
  return {
    read(from) {
      const value: Record<string, unknown> = {}
      for (const { name, step, codec } of entries) {
        from.enter(step)
        value[name] = codec.read(from)
        from.leave()
      }
      return value as Struct<F>
    },
    write(value, to) {
      for (const { name, codec } of entries) codec.write(value[name], to)
    },
  }
}

type Selected<V extends Fields> = {
  [Kind in keyof V]: { readonly kind: Kind } & Value<V[Kind]>
}[keyof V]

/** A kind, then the fields of that kind: `select (kind) { case …: … }`. */
export function select<const V extends Readonly<Record<string, Codec<object>>>>(
  kinds: Codec<Extract<keyof V, string>>,
  variants: V,
  framing?: { readonly length: Unsigned },
): Codec<Selected<V>> {
  return {
    read(from) {
      const kind = kinds.read(from)
      const outerEnd = framing && from.open(from.unsigned(framing.length.size))
      const body = variants[kind]!.read(from)
      if (outerEnd !== undefined) from.close(outerEnd)
      return { kind, ...body } as Selected<V>
    },
    write(value, to) {
      const kind = value.kind as Extract<keyof V, string>
      kinds.write(kind, to)
      const start = framing && to.open(framing.length.size)
      variants[kind]!.write(value, to)
      if (framing && start !== undefined) to.close(framing.length.size, start)
    },
  }
}
