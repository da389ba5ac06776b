// A thread of `coder-threads.ts`. Plain JavaScript, because a thread has no loader for TypeScript.
import { parentPort } from 'node:worker_threads'
import { encode } from './chunk-coder.mjs'
import { decodeInto } from './decode-into.mjs'

/**
 * @typedef {import('./decode-into.mjs').Stored} Stored
 * @typedef {import('./chunk-coder.mjs').Encoded} Encoded
 * @typedef {{ encode: Uint8Array[] } | { decode: Stored[], target: Uint8Array<ArrayBuffer> }} Task
 * @typedef {{ encoded: Encoded[] } | { target: Uint8Array<ArrayBuffer>, isThere: boolean } | { error: string }} Done
 */

parentPort?.on('message', (/** @type {Task} */ task) => {
  const done = run(task)
  parentPort?.postMessage(done, 'target' in done ? [done.target.buffer] : [])
})

/**
 * @param {Task} task
 * @returns {Done}
 */
function run(task) {
  try {
    if ('encode' in task) return { encoded: task.encode.map(encode) }
    return { target: task.target, isThere: decodeInto(task.target, task.decode) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}
