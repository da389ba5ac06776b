// A thread of `cut-file.ts`, which cuts one file. Plain JavaScript, because a thread has no loader for TypeScript.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { cutChunks } from './chunker.mjs'

// Pieces stay in the processor's cache while they are hashed.
const READ_BYTES = 1 << 20

/**
 * @typedef {{ path: string, whole?: { algorithm: string, header: string } }} Task
 * @typedef {{ hex: string | undefined, size: number, ids: Uint8Array, sizes: Uint32Array }} Cut
 * `hex`: with `whole`, the hexadecimal digest of its header followed by the file's bytes. `ids`: the sha256 of each chunk, 32 bytes each.
 */

/**
 * @param {Task} task
 * @returns {Cut}
 */
function cut({ path, whole }) {
  const hash = whole && createHash(whole.algorithm).update(whole.header)
  // Used for each read. What is left of a piece is less than a chunk.
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
      const { chunks, rest } = cutChunks(buffer.subarray(0, kept + read), read === 0)
      for (const chunk of chunks) {
        ids.push(createHash('sha256').update(chunk).digest())
        sizes.push(chunk.length)
      }
      kept = rest.length
      buffer.set(rest)
    }
  } finally {
    closeSync(file)
  }
  return { hex: hash?.digest('hex'), size, ids: Buffer.concat(ids), sizes: Uint32Array.from(sizes) }
}

parentPort?.postMessage(cut(workerData))
