/** The progress of a download of a model. */
export interface Progress {
  /** The model as `modelLabel` writes it. */
  model: string
  /** Bytes that are on disk so far, out of `totalBytes`. */
  receivedBytes: number
  /** Bytes to download in total. */
  totalBytes: number
  /** Milliseconds since the download began. */
  elapsedMs: number
  /** Bytes per second over the network, averaged over the last few seconds. Undefined until there is enough data. */
  bytesPerSecond?: number
  /** Where the last bytes came from. Undefined until bytes arrive. */
  source?: 'cold' | 'remote' | 'hub'
  /** Set while a failed request waits for its next try: milliseconds until then. */
  waitMs?: number
}
