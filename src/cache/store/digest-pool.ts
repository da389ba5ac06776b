import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Tinypool } from 'tinypool'
import { blobNameOf, type Digest, hashRecipe } from '../../model/digest.ts'

/** Computes digests on all cores: one file a thread. */
export class DigestPool {
  readonly #pool = new Tinypool({
    filename: fileURLToPath(new URL('./digest-worker.mjs', import.meta.url)),
    minThreads: 0,
    maxThreads: availableParallelism(),
  })

  /** True when the bytes at `path` have that digest. The size has to be known to be right. */
  async matches(path: string, digest: Digest, size: number, signal?: AbortSignal): Promise<boolean> {
    const hex: unknown = await this.#pool.run({ path, ...hashRecipe(digest, size) }, { signal })
    return hex === blobNameOf(digest)
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}
