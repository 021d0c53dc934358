import { toBase64Url } from "./bytes.ts"

/** Base64 with padding, as XML and PEM have it. RFC 4648 §4. Read it with `fromBase64`. */
export function toBase64(bytes: Uint8Array): string {
  const digits = toBase64Url(bytes).replaceAll("-", "+").replaceAll("_", "/")
  return digits.padEnd(4 * Math.ceil(digits.length / 4), "=")
}
