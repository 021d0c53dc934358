import { hashOfBytes, hashOfText, mixed, RowIndex } from "./row-index.ts"

/**
 * Values by their names, as a Map has them, which are found as well by the bytes that a name is written in: to make a text
 * of those, and a hash of that, takes ten times as long.
 */
export class NamedValues<Value> {
  readonly #index = new RowIndex()
  readonly #names: string[] = []
  readonly #values: Value[] = []

  get size(): number {
    return this.#names.length
  }

  get(name: string): Value | undefined {
    const row = this.#rowOf(name)
    return row < 0 ? undefined : this.#values[row]
  }

  /** That of the name which stands from `start` to `end` in `memory`; of names that are not ASCII none is found so. */
  find(memory: Uint8Array, start: number, end: number): Value | undefined {
    const index = this.#index
    const hash = mixed(hashOfBytes(memory, start, end))
    for (let slot = index.first(hash); slot >= 0; slot = index.next(slot)) {
      const row = index.row(slot)
      if (isWritten(this.#names[row]!, memory, start, end)) return this.#values[row]
    }
    return undefined
  }

  set(name: string, value: Value): void {
    const row = this.#rowOf(name)
    if (row >= 0) {
      this.#values[row] = value
      return
    }
    this.#index.add(hashOf(name), this.#names.length)
    this.#names.push(name)
    this.#values.push(value)
  }

  #rowOf(name: string): number {
    const index = this.#index
    for (let slot = index.first(hashOf(name)); slot >= 0; slot = index.next(slot))
      if (this.#names[index.row(slot)] === name) return index.row(slot)
    return -1
  }
}

const hashOf = (name: string): number => mixed(hashOfText(name))

function isWritten(name: string, memory: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code > 0x7f || code !== memory[start + at]) return false
  }
  return true
}
