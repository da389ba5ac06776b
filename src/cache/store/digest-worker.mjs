// What runs in the threads of `digest-pool.ts`. Plain JavaScript: a thread has no loader for TypeScript.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/**
 * The digest of a file's bytes, in hexadecimal.
 * @param {{ path: string, algorithm: string, header: string }} task
 */
export default async function digestOf({ path, algorithm, header }) {
  const hash = createHash(algorithm).update(header)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}
