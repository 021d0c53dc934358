import { Remembered } from "../kit/remembered.ts"
import type { Instant } from "../kit/time.ts"
import type { Overlay } from "../overlay/interface.ts"
import type { ResourceId } from "../reload/header.ts"
import type { StoredData } from "../reload/stored-data.ts"
import { readHeld } from "../storage/held-value.ts"
import type { KindDefinition } from "../storage/kind.ts"

/** Of each generation. A node of a hundred thousand phones has more; those that call and refresh just now are these. */
const REMEMBERED = 2_048

interface Known<Said> {
  readonly resource: ResourceId
  readonly stamp: number
  readonly said: Said
}

/**
 * Records of one Kind that this node is itself to answer for: they are read without asking the fabric, and what one said
 * is remembered as long as nothing in it changes. `read` says nothing where it should be heard each time.
 */
export class OwnRecords<Said> {
  readonly #overlay: Pick<Overlay, "resourceId" | "heldHere">
  readonly #definition: KindDefinition
  readonly #read: (name: string, values: readonly StoredData[]) => Said | undefined
  readonly #known = new Remembered<Known<Said>>(REMEMBERED)

  constructor(
    overlay: Pick<Overlay, "resourceId" | "heldHere">,
    definition: KindDefinition,
    read: (name: string, values: readonly StoredData[]) => Said | undefined,
  ) {
    this.#overlay = overlay
    this.#definition = definition
    this.#read = read
  }

  /** Undefined: the fabric has to be asked. */
  find(name: string, now: Instant): Said | undefined {
    const { id, model } = this.#definition
    const known = this.#known.get(name)
    const resource = known?.resource ?? this.#overlay.resourceId(name)
    const held = this.#overlay.heldHere(resource, id, now)
    if (held === undefined) return undefined
    const { stamp } = held
    if (known !== undefined && known.stamp === stamp) return known.said
    const said = this.#read(
      name,
      held.read().map((each) => readHeld(each, model)),
    )
    if (said !== undefined && stamp !== undefined) this.#known.set(name, { resource, stamp, said })
    return said
  }
}
