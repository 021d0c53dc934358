const ABSENT = 0
/** There, and linked perhaps, but no peer. */
const NODE = 1
const PEER = 2

/** Who is there, and who of them is a peer: what one sees from outside, and no peer knows. */
export class Roster {
  readonly #status: Uint8Array
  /** The peers in no order, and where each stands there, so that any can be picked and removed. */
  readonly #peers: Uint32Array
  readonly #place: Uint32Array
  #count = 0

  constructor(ranks: number) {
    this.#status = new Uint8Array(ranks)
    this.#peers = new Uint32Array(ranks)
    this.#place = new Uint32Array(ranks)
  }

  get bytes(): number {
    return this.#status.byteLength + this.#peers.byteLength + this.#place.byteLength
  }

  get count(): number {
    return this.#count
  }

  isUp(rank: number): boolean {
    return this.#status[rank] !== ABSENT
  }

  isPeer(rank: number): boolean {
    return this.#status[rank] === PEER
  }

  /** The peer in that place of no order. */
  peer(place: number): number {
    return this.#peers[place]!
  }

  /** All peers, in ascending order. */
  ring(): Uint32Array {
    return this.#peers.slice(0, this.#count).sort()
  }

  appear(rank: number): void {
    this.#status[rank] = NODE
  }

  becomePeer(rank: number): void {
    this.#status[rank] = PEER
    this.#place[rank] = this.#count
    this.#peers[this.#count++] = rank
  }

  stepDown(rank: number): void {
    if (this.#status[rank] !== PEER) return
    this.#status[rank] = NODE
    const last = this.#peers[--this.#count]!
    this.#peers[this.#place[rank]!] = last
    this.#place[last] = this.#place[rank]!
  }

  vanish(rank: number): void {
    this.stepDown(rank)
    this.#status[rank] = ABSENT
  }

  /** The `count` peers from a spot on, clockwise: the responsible one first. */
  holders(spot: number, count: number): readonly number[] {
    const found: number[] = []
    const ranks = this.#status.length
    const wanted = Math.min(count, this.#count)
    for (let rank = Math.ceil(spot) % ranks; found.length < wanted; rank = (rank + 1) % ranks)
      if (this.#status[rank] === PEER) found.push(rank)
    return found
  }
}
