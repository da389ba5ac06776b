import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Tinypool } from 'tinypool'
import { blobNameOf, type Digest, hashRecipe } from '../../../model/digest.ts'
import { Slices } from '../../../platform/slices.ts'
import { checkInSteps, type Stated } from './digest-worker.mjs'

/** A file, and the digest and size in bytes that it must have. */
export interface StatedFile {
  path: string
  digest: Digest
  size: number
}

/** What is wrong with a file. */
export type Flaw = 'missing' | 'wrong size' | 'wrong digest'

/** Computes digests on all cores. One call of `check` at a time runs in this thread, further calls run in worker threads. */
export class DigestPool {
  #isBusyHere = false
  #pool: Promise<Tinypool> | undefined

  /** The flaw of each file, or null, in the order of `files`. One thread checks all files of one call, one after the other. */
  async check(files: StatedFile[], signal?: AbortSignal): Promise<(Flaw | null)[]> {
    const stated = files.map(({ path, digest, size }) => {
      return { path, size, hex: blobNameOf(digest), ...hashRecipe(digest, size) }
    })
    const others = availableParallelism() - 1
    if (this.#isBusyHere && others > 0) {
      this.#pool ??= openPool(others)
      return (await this.#pool).run(stated, { signal })
    }
    this.#isBusyHere = true
    try {
      return await checkHere(stated, signal)
    } finally {
      this.#isBusyHere = false
    }
  }

  async close(): Promise<void> {
    await (await this.#pool)?.destroy()
  }
}

/** Called only when there is work for more than one thread: starting a thread takes as long as hashing some 50 MB. */
async function openPool(threads: number): Promise<Tinypool> {
  const { Tinypool } = await import('tinypool')
  const filename = fileURLToPath(new URL('./digest-worker.mjs', import.meta.url))
  // Some flags of the process, such as `--input-type`, can't be used in a thread. The failure would end the process.
  return new Tinypool({ filename, execArgv: [], minThreads: 0, maxThreads: threads })
}

async function checkHere(files: Stated[], signal?: AbortSignal): Promise<(Flaw | null)[]> {
  const found: (Flaw | null)[] = []
  const slices = new Slices()
  for (const file of files) found.push(await slices.run(checkInSteps(file), null, signal))
  return found
}
