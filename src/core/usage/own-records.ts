import { Remembered } from "../kit/remembered.ts"
import type { Instant } from "../kit/time.ts"
import type { Overlay } from "../overlay/interface.ts"
import type { ResourceId } from "../reload/header.ts"
import type { StoredData } from "../reload/stored-data.ts"
import { type HeldValue, readHeld } from "../storage/held-value.ts"
import type { KindDefinition } from "../storage/kind.ts"

/** Of each generation. A node of a hundred thousand phones has more; those that call and refresh just now are these. */
const REMEMBERED = 4_096

interface Known<Said> {
  readonly resource: ResourceId
  readonly values: readonly HeldValue[]
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
    const values = this.#overlay.heldHere(resource, id, now)
    if (values === undefined) return undefined
    if (known !== undefined && areSame(known.values, values)) return known.said
    const said = this.#read(
      name,
      values.map((held) => readHeld(held, model)),
    )
    if (said !== undefined) this.#known.set(name, { resource, values, said })
    return said
  }
}

/** Held values are never changed, only replaced. */
function areSame(before: readonly HeldValue[], now: readonly HeldValue[]): boolean {
  if (before.length !== now.length) return false
  for (let index = 0; index < now.length; index++) if (before[index] !== now[index]) return false
  return true
}
