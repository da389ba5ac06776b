import type { Hash } from 'node:crypto'
import { createHash } from '../platform/late-crypto.ts'

/**
 * The digest of a file as the Hub states it: `sha256:<hex>` of the content for LFS and Xet files, `sha1:<hex>` of the
 * git blob for all other files.
 */
export type Digest = `sha256:${string}` | `sha1:${string}`

export function isDigest(text: string): text is Digest {
  return /^(sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40})$/.test(text)
}

/** The name of a blob in a Hugging Face cache: the hexadecimal digits alone. */
export function blobNameOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The digest that a blob's name states; undefined when the name is not a blob's name. */
export function digestOfBlobName(name: string): Digest | undefined {
  if (/^[0-9a-f]{64}$/.test(name)) return `sha256:${name}`
  if (/^[0-9a-f]{40}$/.test(name)) return `sha1:${name}`
  return undefined
}

/** How a digest is computed: the hash function, and the header that is hashed before the content. */
export interface HashRecipe {
  algorithm: 'sha256' | 'sha1'
  header: string
}

/** Git hashes the header `blob <size> NUL` before the content. */
export function hashRecipe(digest: Digest, size: number): HashRecipe {
  return digest.startsWith('sha256:')
    ? { algorithm: 'sha256', header: '' }
    : { algorithm: 'sha1', header: `blob ${size}\0` }
}

/** A running hash of the same kind as `expected`. */
export class Hasher {
  readonly #hash: Hash
  readonly #recipe: HashRecipe

  constructor(expected: Digest, size: number) {
    this.#recipe = hashRecipe(expected, size)
    this.#hash = createHash(this.#recipe.algorithm)
    this.#hash.update(this.#recipe.header)
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }

  digest(): Digest {
    return `${this.#recipe.algorithm}:${this.#hash.digest('hex')}`
  }
}

/** True if bytes are the content that a digest and a size state. */
export function isContent(bytes: Uint8Array, { digest, size }: { digest: Digest; size: number }): boolean {
  if (bytes.byteLength !== size) return false
  const hasher = new Hasher(digest, size)
  hasher.update(bytes)
  return hasher.digest() === digest
}
