/** How far a model has come. */
export interface Progress {
  /** The model as `modelLabel` writes it. */
  model: string
  /** Bytes received so far, of those that have to be downloaded. */
  receivedBytes: number
  /** Bytes to download in all. */
  totalBytes: number
  /** Milliseconds since the first byte was asked for. */
  elapsedMs: number
}
