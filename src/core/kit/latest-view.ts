/** The view on the memory that bytes lie in: messages come into the same memory again and again, and a view for each would be dear. */
export class LatestView {
  #view: DataView = new DataView(new ArrayBuffer(0))
  /** That of the view. To ask the view takes as long as all the rest. */
  #buffer: ArrayBufferLike = this.#view.buffer

  /** On all of that memory: `bytes` begin at their own `byteOffset` in it. */
  of(bytes: Uint8Array): DataView {
    const { buffer } = bytes
    if (buffer !== this.#buffer) {
      this.#buffer = buffer
      this.#view = new DataView(buffer)
    }
    return this.#view
  }
}
