/** Few things that many rows name: by small numbers, which never change. */
export class Interned<Thing> {
  readonly #things: Thing[] = []
  readonly #numbers = new Map<Thing, number>()

  numberOf(thing: Thing): number {
    const known = this.#numbers.get(thing)
    if (known !== undefined) return known
    this.#numbers.set(thing, this.#things.length)
    return this.#things.push(thing) - 1
  }

  /** What `numberOf` gave that number. */
  of(number: number): Thing {
    return this.#things[number]!
  }
}
