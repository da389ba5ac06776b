// Cuts a file into chunks, in the calling thread or in `cutter-thread.mjs`. Plain JavaScript, because a thread has no loader for
// TypeScript.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { chunkEnds } from './chunker.mjs'

// Pieces stay in the processor's cache while they are hashed.
const READ_BYTES = 1 << 20

/**
 * @typedef {{ path: string, whole?: { algorithm: string, header: string } }} Task
 * @typedef {{ hex: string | undefined, size: number, ids: Uint8Array, sizes: Uint32Array }} Cut
 * `hex`: with `whole`, the hexadecimal digest of its header followed by the file's bytes. `ids`: the sha256 of each chunk, 32 bytes each.
 */

/**
 * Yields after each piece that was read.
 * @param {Task} task
 * @returns {Generator<void, Cut, void>}
 */
export function* cutInSteps({ path, whole }) {
  const hash = whole && createHash(whole.algorithm).update(whole.header)
  const buffer = Buffer.allocUnsafeSlow(2 * READ_BYTES)
  /** @type {Buffer[]} */
  const ids = []
  /** @type {number[]} */
  const sizes = []
  let size = 0
  const file = openSync(path, 'r')
  try {
    for (let [read, kept] = [-1, 0]; read !== 0; ) {
      read = readSync(file, buffer, kept, READ_BYTES, null)
      hash?.update(buffer.subarray(kept, kept + read))
      size += read
      const bytes = buffer.subarray(0, kept + read)
      let start = 0
      for (const end of chunkEnds(bytes, read === 0)) {
        ids.push(createHash('sha256').update(bytes.subarray(start, end)).digest())
        sizes.push(end - start)
        start = end
      }
      // Less than a chunk is left.
      buffer.copyWithin(0, start, bytes.length)
      kept = bytes.length - start
      yield
    }
  } finally {
    closeSync(file)
  }
  return { hex: hash?.digest('hex'), size, ids: Buffer.concat(ids), sizes: Uint32Array.from(sizes) }
}
