// Computes digests, here or in the threads of `digest-pool.ts`. Plain JavaScript: a thread has no loader for TypeScript.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'

// Kept by the processor's own cache between reading and hashing, and used again and again: a new one for each read costs
// as much as the reading. Of several files in turn, too: nothing of it is needed after a pause.
const piece = Buffer.allocUnsafeSlow(256 << 10)

/**
 * @typedef {{ path: string, size: number, algorithm: string, header: string, hex: string }} Stated
 * A file, and what it is to be: its bytes, and its digest in hexadecimal, of the header and all bytes.
 * @typedef {'missing' | 'wrong size' | 'wrong digest' | null} Found
 * What is wrong with it, or null.
 */

/**
 * What a thread does, in one go: it has nothing else to do, and its end by the pool comes through all the same.
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
 * Says what is wrong with a file; pauses after each piece.
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
