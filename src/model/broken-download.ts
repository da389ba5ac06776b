import type { Digest } from './digest.ts'

/** The body that came was not the file: worth another try. */
export class BrokenDownloadError extends Error {
  override readonly name: string = 'BrokenDownloadError'
}

/** All bytes came, and are not those that the Hub stated. */
export class DigestMismatchError extends BrokenDownloadError {
  override readonly name = 'DigestMismatchError'
  constructor(
    readonly expected: Digest,
    readonly received: Digest,
  ) {
    super(`The content has the digest ${received}, the Hub stated ${expected}`)
  }
}
