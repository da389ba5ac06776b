import { createHash, type Hash } from 'node:crypto'

/**
 * What a file's bytes must hash to, as the Hub states it: `sha256:<hex>` of the content for LFS and Xet files,
 * `sha1:<hex>` of the git blob for the others.
 */
export type Digest = `sha256:${string}` | `sha1:${string}`

export function isDigest(text: string): text is Digest {
  return /^(sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40})$/.test(text)
}

/** The name of a blob in a Hugging Face cache: the hexadecimal digits alone. */
export function blobNameOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The digest that a blob's name states, or undefined when the name is none. */
export function digestOfBlobName(name: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(name)) return `sha256:${name}`
  if (/^[0-9a-f]{40}$/.test(name)) return `sha1:${name}`
  return undefined
}

/** A running hash of the same kind as `expected`. Git hashes the header `blob <size> NUL` before the content. */
export class Hasher {
  readonly #hash: Hash
  readonly #kind: 'sha256' | 'sha1'

  constructor(expected: Digest, size: number) {
    this.#kind = expected.startsWith('sha256:') ? 'sha256' : 'sha1'
    this.#hash = createHash(this.#kind)
    if (this.#kind === 'sha1') this.#hash.update(`blob ${size}\0`)
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }

  digest(): Digest {
    return `${this.#kind}:${this.#hash.digest('hex')}`
  }
}
