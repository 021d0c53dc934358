import { FormatError } from "../../core/kit/errors.ts"

// As much of DER (ITU-T X.690) as reading and making certificates takes.

/** Tags as they stand on the wire: class, constructed bit and number in one byte. */
export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** `[number]` of the presentation language, around other elements. */
export const contextTag = (number: number): number => 0xa0 | number

/** `[number] IMPLICIT` of something primitive. */
export const implicitTag = (number: number): number => 0x80 | number

export interface DerElement {
  readonly tag: number
  /** Without tag and length. */
  readonly content: Uint8Array
  /** With them, as it is signed. */
  readonly whole: Uint8Array
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
      throw new FormatError(`a DER element of ${length} bytes stands in ${bytes.length - start}`)
    }
    const end = start + length
    elements.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) })
    at = end
  }
  return elements
}

function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly size: number } {
  const first = bytes[at]
  if (first === undefined) throw new FormatError("a DER element ends before its length")
  if (first < 0x80) return { length: first, size: 1 }
  const count = first - 0x80
  // Three bytes say 16 MiB, more than anything that is read here; none is BER's indefinite form.
  if (count === 0 || count > 3 || at + count >= bytes.length)
    throw new FormatError("a DER length is nonsense")
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + bytes[at + i]!
  return { length, size: 1 + count }
}

/** What is inside an element that must have this tag. */
export const derContents = (
  element: DerElement | undefined,
  tag: number,
  name: string,
): readonly DerElement[] => readDer(derContent(element, tag, name))

/** The content of an element that must have this tag. */
export function derContent(element: DerElement | undefined, tag: number, name: string): Uint8Array {
  if (element?.tag !== tag) throw new FormatError(`the ${name} is not where DER has it`)
  return element.content
}

export function writeDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 255]
  if (size > 0xffff) throw new FormatError(`${size} bytes are too many for one DER element`)
  return Buffer.concat([Uint8Array.of(tag, ...length), content])
}

export const derSequence = (...elements: readonly Uint8Array[]): Uint8Array =>
  writeDer(DerTag.sequence, ...elements)

export const derText = (text: string): Uint8Array => writeDer(DerTag.utf8String, Buffer.from(text))

/** Whole bytes: none of the last one's bits is left over. */
export const derBits = (bytes: Uint8Array): Uint8Array => writeDer(DerTag.bitString, Uint8Array.of(0), bytes)

/** Every arc may be of any size, as under 2.25, where it is a UUID. */
export function derObjectIdentifier(dotted: string): Uint8Array {
  const [root, first, ...rest] = dotted.split(".").map(BigInt)
  const arcs = [root! * 40n + first!, ...rest].map((arc) => {
    const bytes = [Number(arc & 0x7fn)]
    for (let left = arc >> 7n; left > 0n; left >>= 7n) bytes.unshift(Number(left & 0x7fn) | 0x80)
    return Uint8Array.from(bytes)
  })
  return writeDer(DerTag.objectIdentifier, ...arcs)
}

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
