// What runs in the threads of `digest-pool.ts`. Plain JavaScript: a thread has no loader for TypeScript.
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync, statSync } from 'node:fs'

// A stream costs more than the rest of what is done with a smaller one.
const READ_WHOLE_BYTES = 1 << 20

/**
 * Says of each file what is wrong with it, or null.
 * @typedef {{ path: string, size: number, algorithm: string, header: string, hex: string }} Stated
 * @param {Stated[]} files
 */
export default async function checkFiles(files) {
  const found = []
  for (const file of files) found.push(await check(file))
  return found
}

/** @param {Stated} file */
async function check(file) {
  try {
    if (statSync(file.path).size !== file.size) return 'wrong size'
    return (await digestOf(file)) === file.hex ? null : 'wrong digest'
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(Reflect.get(Object(error), 'code'))) return 'missing'
    throw error
  }
}

/**
 * The digest of a file's bytes, in hexadecimal.
 * @param {Stated} file
 */
async function digestOf({ path, size, algorithm, header }) {
  const hash = createHash(algorithm).update(header)
  if (size < READ_WHOLE_BYTES) return hash.update(readFileSync(path)).digest('hex')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}
