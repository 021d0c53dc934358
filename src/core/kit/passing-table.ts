const FIRST_ROOM = 16
/** A table with fewer entries than that part of its room is made smaller, when so many times its room have been taken out of it: how many there are goes up and down. */
const SPARSE = 8
const PATIENCE = 4

/**
 * A map of what comes and goes by the thousand a second.
 *
 * The platform's `Map` makes its table anew after as many changes as it has room, and leaves the old one behind with all that was in it. Once the table
 * stands among what is old, each later one does too, and what a dead one names is kept, moved and marked until the whole heap is
 * collected, however short its life was (docs/decisions/0036-tables-that-let-go.md). Here entries are taken out of the arrays in which they stand.
 */
export class PassingTable<Key extends string | number, Value extends object> {
  readonly #hashOf: (key: Key) => number
  /** The room, a power of two, less one. */
  #mask = FIRST_ROOM - 1
  #hashes = new Int32Array(FIRST_ROOM)
  #keys = emptyRoom<Key>(FIRST_ROOM)
  /** Undefined where the place is free. Entries stand at the first free place behind that of their hash. */
  #values = emptyRoom<Value>(FIRST_ROOM)
  #size = 0
  /** Taken out since it was made as large as it is. */
  #taken = 0

  /** `hashOf`: 32 bits, of which the lower ones differ; for numbers in a row `scattered`. */
  constructor(hashOf: (key: Key) => number) {
    this.#hashOf = hashOf
  }

  get size(): number {
    return this.#size
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined
  }

  get(key: Key): Value | undefined {
    return this.#values[this.#placeOf(key, this.#hashOf(key))]
  }

  set(key: Key, value: Value): void {
    const hash = this.#hashOf(key)
    let place = this.#placeOf(key, hash)
    if (this.#values[place] === undefined) {
      if (2 * ++this.#size > this.#mask) {
        this.#resize(2 * (this.#mask + 1))
        place = this.#placeOf(key, hash)
      }
      this.#hashes[place] = hash
      this.#keys[place] = key
    }
    this.#values[place] = value
  }

  /** Whether it was there. */
  delete(key: Key): boolean {
    const place = this.#placeOf(key, this.#hashOf(key))
    if (this.#values[place] === undefined) return false
    this.#close(place)
    this.#size--
    this.#taken++
    const room = this.#mask + 1
    if (room > FIRST_ROOM && this.#size * SPARSE < room && this.#taken > PATIENCE * room)
      this.#resize(room / 2)
    return true
  }

  /** Where it stands, or might. */
  #placeOf(key: Key, hash: number): number {
    const [mask, hashes, keys, values] = [this.#mask, this.#hashes, this.#keys, this.#values]
    let place = hash & mask
    while (values[place] !== undefined && (hashes[place] !== hash || keys[place] !== key))
      place = (place + 1) & mask
    return place
  }

  /** Empties that place, and lets those behind it move up that would be found no more. */
  #close(place: number): void {
    const [mask, hashes, keys, values] = [this.#mask, this.#hashes, this.#keys, this.#values]
    let gap = place
    for (let at = (gap + 1) & mask; values[at] !== undefined; at = (at + 1) & mask) {
      const way = (at - hashes[at]!) & mask
      if (way < ((at - gap) & mask)) continue
      hashes[gap] = hashes[at]!
      keys[gap] = keys[at]
      values[gap] = values[at]
      gap = at
    }
    keys[gap] = undefined
    values[gap] = undefined
  }

  #resize(room: number): void {
    const [hashes, keys, values] = [this.#hashes, this.#keys, this.#values]
    this.#mask = room - 1
    this.#taken = 0
    this.#hashes = new Int32Array(room)
    this.#keys = emptyRoom(room)
    this.#values = emptyRoom(room)
    for (let at = 0; at < values.length; at++) {
      const value = values[at]
      if (value === undefined) continue
      const place = this.#placeOf(keys[at]!, hashes[at]!)
      this.#hashes[place] = hashes[at]!
      this.#keys[place] = keys[at]
      this.#values[place] = value
    }
    // What is left of them names nothing.
    keys.fill(undefined)
    values.fill(undefined)
  }
}

const emptyRoom = <T>(room: number): (T | undefined)[] => new Array<T | undefined>(room).fill(undefined)

/** Of numbers in a row, so that they do not stand in a row: whoever is taken out of that must have all behind it looked at. */
export const scattered = (number: number): number => Math.imul(number, 0x9e3779b1)
