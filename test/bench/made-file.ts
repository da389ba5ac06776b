import { createHash, randomFillSync } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

const BLOCK_BYTES = 1 << 20

/** Writes a file of random bytes, which cannot be compressed. Returns its sha256. */
export async function makeFile(path: string, bytes: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  try {
    for (let written = 0; written < bytes; written += BLOCK_BYTES) {
      const part = randomFillSync(block).subarray(0, Math.min(BLOCK_BYTES, bytes - written))
      hash.update(part)
      await file.writeFile(part)
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
