import type { Address } from "./address.ts"

/** `192.0.2.1:5060`, `[2001:db8::1]:5060` or `host.example:5060`; undefined for what is none. */
export function parseAddress(text: string): Address | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([\dA-Fa-f:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined
}
