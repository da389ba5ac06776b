import { existsSync } from 'node:fs'
import type { Digest } from '../../../model/digest.ts'
import type { Layout } from '../layout.ts'
import { CoderPool } from './coder-pool.ts'
import { flawOfPacked } from './read-blob.ts'

/** The packed contents that can't be restored as they were, by their digests. */
export async function packedFlaws(
  layout: Layout,
  files: { digest: Digest; size: number }[],
  signal?: AbortSignal,
): Promise<Map<Digest, 'missing' | 'wrong digest'>> {
  const flaws = new Map<Digest, 'missing' | 'wrong digest'>()
  const contents = new Map(files.map((file) => [file.digest, file]))
  const pool = new CoderPool(files.reduce((sum, { size }) => sum + size, 0))
  try {
    for (const [digest, file] of contents) {
      signal?.throwIfAborted()
      if (!existsSync(layout.packedBlob(digest))) flaws.set(digest, 'missing')
      else if ((await flawOfPacked(layout, file, pool, signal)) !== undefined) flaws.set(digest, 'wrong digest')
    }
  } finally {
    await pool.close()
  }
  return flaws
}
