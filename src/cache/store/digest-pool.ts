import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Tinypool } from 'tinypool'
import { blobNameOf, type Digest, hashRecipe } from '../../model/digest.ts'

/** A file, and what it is to be. */
export interface StatedFile {
  path: string
  digest: Digest
  size: number
}

/** What is wrong with a file. */
export type Flaw = 'missing' | 'wrong size' | 'wrong digest'

/** Computes digests on all cores. */
export class DigestPool {
  readonly #pool = new Tinypool({
    filename: fileURLToPath(new URL('./digest-worker.mjs', import.meta.url)),
    minThreads: 0,
    maxThreads: availableParallelism(),
  })

  /** Says of each file what is wrong with it, or null. One thread sees to all of them, in turn. */
  async check(files: StatedFile[], signal?: AbortSignal): Promise<(Flaw | null)[]> {
    const stated = files.map(({ path, digest, size }) => {
      return { path, size, hex: blobNameOf(digest), ...hashRecipe(digest, size) }
    })
    return this.#pool.run(stated, { signal })
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}
