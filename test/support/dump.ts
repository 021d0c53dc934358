import { fromHex } from "../../src/core/kit/hex.ts"

/** The bytes of a dump that explains itself behind each `#`. */
export function dump(text: string): Uint8Array {
  return fromHex(text.replaceAll(/#.*|\s/g, ""))
}
