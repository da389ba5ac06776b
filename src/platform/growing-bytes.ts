/**
 * Joins chunks of bytes. They are copied: if a server sends single bytes, a list of the chunks would take a hundred times as
 * much memory.
 */
export class GrowingBytes {
  #buffer = new Uint8Array(64 << 10)
  length = 0

  get all(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  add(chunk: Uint8Array): void {
    const needed = this.length + chunk.byteLength
    if (needed > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.byteLength))
      larger.set(this.all)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.length)
    this.length = needed
  }
}
