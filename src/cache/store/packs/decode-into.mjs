// Plain JavaScript, because a thread has no loader for TypeScript.
import { closeSync, openSync, readSync } from 'node:fs'
import { decode } from './chunk-coder.mjs'

/**
 * @typedef {{ path: string, offset: number, stored: number, size: number, coding: number }} Stored
 * A chunk of a pack file: where it begins, its bytes in the file and its bytes when it is decoded.
 */

/** Used again for each read: new memory costs more than the read. */
let buffer = Buffer.allocUnsafeSlow(1 << 20)

/**
 * Reads chunks of pack files, and decodes them into `target`, one after the other. False if a pack file is gone. That is no error, because
 * an error loses its code between threads.
 * @param {Uint8Array} target
 * @param {Stored[]} chunks
 */
export function decodeInto(target, chunks) {
  let at = 0
  for (const run of adjacent(chunks)) {
    const bytes = readRun(run)
    if (!bytes) return false
    let from = 0
    for (const { stored, size, coding } of run) {
      decode(bytes.subarray(from, from + stored), coding, target.subarray(at, at + size))
      from += stored
      at += size
    }
  }
  return true
}

/** Chunks that follow each other in a file are read at once. @param {Stored[]} chunks */
function adjacent(chunks) {
  /** @type {Stored[][]} */
  const runs = []
  let [path, end] = ['', -1]
  for (const chunk of chunks) {
    if (chunk.path === path && chunk.offset === end) runs.at(-1)?.push(chunk)
    else runs.push([chunk])
    path = chunk.path
    end = chunk.offset + chunk.stored
  }
  return runs
}

/** Overwritten by the next call. Undefined if the file is gone. @param {Stored[]} run */
function readRun(run) {
  const { path, offset } = run[0] ?? { path: '', offset: 0 }
  const length = run.reduce((sum, { stored }) => sum + stored, 0)
  if (length > buffer.length) buffer = Buffer.allocUnsafeSlow(length)
  const file = openIfThere(path)
  if (file === undefined) return undefined
  try {
    if (readSync(file, buffer, 0, length, offset) < length) throw new Error(`${path} is too short`)
  } finally {
    closeSync(file)
  }
  return buffer.subarray(0, length)
}

/** @param {string} path */
function openIfThere(path) {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
