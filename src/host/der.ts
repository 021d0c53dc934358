import { FormatError } from "../core/kit/errors.ts"

// As much of DER (ITU-T X.690) as reading a certificate and our own extension takes.

/** Tags as they stand on the wire: class, constructed bit and number in one byte. */
export const DerTag = {
  integer: 0x02,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  boolean: 0x01,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const

/** One element: its tag, and its content without tag and length. */
export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
}

/** The elements that stand one after the other in `bytes`. Throws FormatError for what is not DER. */
export function readDer(bytes: Uint8Array): readonly DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at]!
    if ((tag & 0x1f) === 0x1f) throw new FormatError(`DER tag 0x${tag.toString(16)} is of a long form`)
    const { length, size } = readLength(bytes, at + 1)
    const start = at + 1 + size
    if (length > bytes.length - start) {
      throw new FormatError(`DER element of ${length} bytes stands in ${bytes.length - start}`)
    }
    elements.push({ tag, content: bytes.subarray(start, start + length) })
    at = start + length
  }
  return elements
}

function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly size: number } {
  const first = bytes[at]
  if (first === undefined) throw new FormatError("DER element ends before its length")
  if (first < 0x80) return { length: first, size: 1 }
  const count = first - 0x80
  // Three bytes say 16 MiB, more than anything that is read here; none is BER's indefinite form.
  if (count === 0 || count > 3 || at + count >= bytes.length) throw new FormatError("DER length is nonsense")
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + bytes[at + i]!
  return { length, size: 1 + count }
}

/** What is inside an element that must have this tag. */
export function derContents(
  element: DerElement | undefined,
  tag: number,
  name: string,
): readonly DerElement[] {
  return readDer(derContent(element, tag, name))
}

/** The content of an element that must have this tag. */
export function derContent(element: DerElement | undefined, tag: number, name: string): Uint8Array {
  if (element?.tag !== tag) throw new FormatError(`the certificate's ${name} is not where DER has it`)
  return element.content
}

export function writeDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 255]
  if (size > 0xffff) throw new FormatError(`${size} bytes are too many for one DER element`)
  return Buffer.concat([Uint8Array.of(tag, ...length), content])
}

/** An object identifier in dotted text; its arcs may be of any size, as under 2.25. */
export function readObjectIdentifier(content: Uint8Array): string {
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    if (byte < 0x80) {
      arcs.push(arc)
      arc = 0n
    }
  }
  const [first, ...rest] = arcs
  if (first === undefined) throw new FormatError("an object identifier is empty")
  const root = first < 40n ? 0n : first < 80n ? 1n : 2n
  return [root, first - 40n * root, ...rest].join(".")
}
