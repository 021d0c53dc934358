import { seconds } from "../../core/kit/time.ts"
import { Model } from "../model.ts"
import { type PeerHost, textIn } from "./peer-host.ts"
import type { PeerWorld } from "./peer-world.ts"

/** Texts that peers write, and the reference model that knows which of them ought to be there. */
export class Ledger {
  readonly model = new Model()
  readonly #world: PeerWorld
  #written = 0

  constructor(world: PeerWorld) {
    this.#world = world
  }

  /** Writes another text through that peer, or removes what is there, and does not wait. */
  write(peer: PeerHost, place: string, isRemoval = false): void {
    const text = isRemoval ? undefined : `text ${++this.#written}`
    const attempt = this.model.begin(place, text, this.#world.now)
    const [name, key] = partsOf(place)
    peer.store(
      name,
      text,
      (result) => {
        attempt.isAcknowledged = result.kind === "stored"
        attempt.endedAt = this.#world.now
      },
      key,
    )
  }

  /** Through these peers, dealt out in turn, everything reads as the model says; or what does not. */
  disagreement(peers: readonly PeerHost[]): string | undefined {
    const world = this.#world
    const complaints: string[] = []
    let open = 0
    for (const [index, place] of this.model.names().entries()) {
      const [name, key] = partsOf(place)
      const peer = peers[index % peers.length]!
      open++
      peer.fetch(
        name,
        (result) => {
          open--
          const text = textIn(result, key)
          if (text instanceof Error) complaints.push(`${peer.host} cannot read ${place}: ${text.message}`)
          else if (!this.model.allows(place, text))
            complaints.push(
              `${peer.host} reads ${text ?? "nothing"} for ${place}, not ${this.model.expected(place)}`,
            )
        },
        key,
      )
    }
    world.runUntil(() => open === 0, seconds(30))
    return open > 0 ? `${open} questions have no answer` : complaints[0]
  }
}

/** `name`, or `name/key` for an entry of a dictionary. */
function partsOf(place: string): readonly [name: string, key: string | undefined] {
  const [name, key] = place.split("/")
  return [name!, key]
}
