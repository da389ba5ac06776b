/** The stream ended before the bytes that were asked for. */
export class EarlyEndError extends Error {
  override readonly name = 'EarlyEndError'
}

/** Takes exact numbers of bytes from a stream. It keeps at most one chunk of the stream in memory. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  /** The number of bytes that were taken so far. */
  taken = 0

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  /** The next `size` bytes, in pieces. Throws `EarlyEndError`. */
  async *pieces(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0; ) {
      if (this.#rest.length === 0 && !(await this.#next())) throw new EarlyEndError()
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      this.taken += piece.length
      yield piece
    }
  }

  /** The next `size` bytes. Throws `EarlyEndError`. */
  async read(size: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for await (const piece of this.pieces(size)) pieces.push(piece)
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)
  }

  /** The next piece, whatever its size. Undefined at the end. */
  async any(): Promise<Buffer | undefined> {
    if (this.#rest.length === 0 && !(await this.#next())) return undefined
    const piece = this.#rest
    this.#rest = Buffer.alloc(0)
    this.taken += piece.length
    return piece
  }

  /** Ends the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #next(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#chunks.next()
      if (done) return false
      this.#rest = value
      if (value.length > 0) return true
    }
  }
}
