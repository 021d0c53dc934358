/** A text of an answer that is always the same, as the bytes that it is written in, some zeros behind it. */
export class Piece {
  readonly length: number
  readonly words: Int32Array

  /** `text`: latin1. */
  constructor(text: string) {
    this.length = text.length
    const bytes = new Uint8Array(4 * Math.ceil(text.length / 4))
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at)
    const view = new DataView(bytes.buffer)
    this.words = Int32Array.from({ length: bytes.length / 4 }, (_, word) => view.getInt32(4 * word, true))
  }
}
