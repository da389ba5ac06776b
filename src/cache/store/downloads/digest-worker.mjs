// Computes digests, in the calling thread or in the threads of `digest-pool.ts`. Plain JavaScript, because a thread has no
// loader for TypeScript.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'

// This buffer is small enough to stay in the processor's cache between reading and hashing. It is reused, because a new buffer for each
// read would cost as much as the read. Several checks can share it: its content is not needed after a `yield`.
const piece = Buffer.allocUnsafeSlow(256 << 10)

/**
 * @typedef {{ path: string, size: number, algorithm: string, header: string, hex: string }} Stated
 * A file and what it must be: its size in bytes, and the hexadecimal digest of `header` followed by the file's bytes.
 * @typedef {'missing' | 'wrong size' | 'wrong digest' | null} Found
 * The flaw of a file, or null.
 */

/**
 * The task of a worker thread. It does not pause, because the thread has no other work and the pool can end it at any time.
 * @param {Stated[]} files
 * @returns {Found[]}
 */
export default function checkFiles(files) {
  return files.map((file) => {
    const steps = checkInSteps(file)
    let step = steps.next()
    while (!step.done) step = steps.next()
    return step.value
  })
}

/**
 * Returns the flaw of a file, or null. Yields after each piece that was hashed.
 * @param {Stated} file
 * @returns {Generator<void, Found, void>}
 */
export function* checkInSteps({ path, size, algorithm, header, hex }) {
  let file = -1
  try {
    if (statSync(path).size !== size) return 'wrong size'
    const hash = createHash(algorithm).update(header)
    file = openSync(path, 'r')
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
      hash.update(piece.subarray(0, read))
      yield
    }
    return hash.digest('hex') === hex ? null : 'wrong digest'
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(Reflect.get(Object(error), 'code'))) return 'missing'
    throw error
  } finally {
    if (file !== -1) closeSync(file)
  }
}
