/** How far a model has come. */
export interface Progress {
  /** The model as `modelLabel` writes it. */
  model: string
  /** Bytes that are there, of those that have to be downloaded. */
  receivedBytes: number
  /** Bytes to download in all. */
  totalBytes: number
  /** Milliseconds since the first byte was asked for. */
  elapsedMs: number
  /** Bytes that came over the network in a second, of the last few seconds; undefined until that means something. */
  bytesPerSecond?: number
  /** Set while a request that failed is waited with: milliseconds until the next try. */
  waitMs?: number
}
