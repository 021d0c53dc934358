import { type Codec, type Unsigned, u8 } from "../wire/codec.ts"

// How our private structures grow: nodes one minor version apart read each other's values.

/**
 * A structure behind its length that a later version may have made longer: what follows the fields
 * we know is passed over. New fields go at the end, and only there.
 */
export const extensible = <T>(length: Unsigned, content: Codec<T>): Codec<T> => ({
  read: (from) =>
    from.frame(from.unsigned(length.size), () => {
      const value = content.read(from)
      from.bytes(from.remaining)
      return value
    }),
  write: (value, to) => to.frame(length.size, () => content.write(value, to)),
})

/** Something that may be missing: a Boolean, then perhaps the value. */
export const optional = <T>(content: Codec<T>): Codec<T | undefined> => ({
  read: (from) => (from.unsigned(1) === 0 ? undefined : content.read(from)),
  write(value, to) {
    u8.write(value === undefined ? 0 : 1, to)
    if (value !== undefined) content.write(value, to)
  },
})

/**
 * A version in front of what it governs. Raised only where an old reader must not read on: what an
 * old reader may ignore is added by `extensible` instead.
 */
export const versioned = <T>(version: number, content: Codec<T>): Codec<T> => ({
  read(from) {
    const found = from.unsigned(1)
    if (found !== version)
      throw from.fail(`is of version ${found}, and this node reads version ${version}; upgrade it`)
    return content.read(from)
  },
  write(value, to) {
    u8.write(version, to)
    content.write(value, to)
  },
})
