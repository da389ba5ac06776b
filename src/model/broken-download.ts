import type { Digest } from './digest.ts'

/** The received body is not the file that the Hub stated. Another attempt may succeed. */
export class BrokenDownloadError extends Error {
  override readonly name: string = 'BrokenDownloadError'
}

/** The server sends another size than the Hub stated. */
export class SizeMismatchError extends BrokenDownloadError {
  override readonly name = 'SizeMismatchError'
  constructor(
    message: string,
    /** For example `12 bytes`. */
    readonly received: string,
  ) {
    super(message)
  }
}

/** The body is complete, but its digest differs from the one that the Hub stated. */
export class DigestMismatchError extends BrokenDownloadError {
  override readonly name = 'DigestMismatchError'
  constructor(
    readonly expected: Digest,
    readonly received: Digest,
  ) {
    super(`The content has the digest ${received}, but the Hub stated ${expected}`)
  }
}
