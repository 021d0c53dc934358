/** What was made of a text before. Two generations, so that forgetting costs nothing: the older goes when the younger is full. */
export class Remembered<Value> {
  readonly #most: number
  #recent = new Map<string, Value>()
  #older = new Map<string, Value>()

  /** `most`: of each generation. */
  constructor(most: number) {
    this.#most = most
  }

  get(text: string): Value | undefined {
    return this.#recent.get(text) ?? this.#older.get(text)
  }

  set(text: string, value: Value): void {
    if (this.#recent.size >= this.#most) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(text, value)
  }
}
