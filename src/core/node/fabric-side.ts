import type { Overlay } from "../overlay/interface.ts"
import { createOverlay } from "../overlay/overlay.ts"
import { DEFAULT_KINDS } from "../storage/kinds.ts"
import type { NodeSettings } from "./interface.ts"
import { SIPS_APPLICATION } from "./node-hops.ts"

/** Above this many nodes, tables alone. */
const FULL_MESH = 256

/** The overlay peer of a node. */
export function createFabricSide(settings: NodeSettings): Overlay {
  const { identity, cryptography, random, configuration, advertised, document, clockBound } = settings
  return createOverlay({
    identity,
    cryptography,
    random,
    configuration,
    ...(document === undefined ? {} : { document }),
    kinds: DEFAULT_KINDS,
    advertised,
    applications: new Map([[SIPS_APPLICATION, advertised]]),
    fullMeshLimit: FULL_MESH,
    ...(clockBound === undefined ? {} : { clockBound }),
  })
}
