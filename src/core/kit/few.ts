/**
 * A map that mostly has one entry: then it is a tenth as large as a `Map`, which has room for eight. For what there is one of for each
 * registration or record.
 */
export class Few<Key, Value> {
  #key: Key | undefined
  #value: Value | undefined
  /** Where there are more than one, or have been. */
  #many: Map<Key, Value> | undefined

  get size(): number {
    return this.#many?.size ?? (this.#key === undefined ? 0 : 1)
  }

  get(key: Key): Value | undefined {
    return this.#many === undefined ? (this.#key === key ? this.#value : undefined) : this.#many.get(key)
  }

  set(key: Key, value: Value): void {
    if (this.#many !== undefined) this.#many.set(key, value)
    else if (this.#key === undefined || this.#key === key) {
      this.#key = key
      this.#value = value
    } else {
      this.#many = new Map([[this.#key, this.#value!]])
      this.#many.set(key, value)
      this.#key = undefined
      this.#value = undefined
    }
  }

  delete(key: Key): void {
    if (this.#many !== undefined) this.#many.delete(key)
    else if (this.#key === key) {
      this.#key = undefined
      this.#value = undefined
    }
  }

  /** In the order in which they were set first; a copy, so that entries may be deleted meanwhile. */
  keys(): Key[] {
    if (this.#many !== undefined) return [...this.#many.keys()]
    return this.#key === undefined ? [] : [this.#key]
  }

  values(): Value[] {
    if (this.#many !== undefined) return [...this.#many.values()]
    return this.#key === undefined ? [] : [this.#value!]
  }
}
