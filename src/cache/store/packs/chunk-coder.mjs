// Encodes and decodes chunks. Plain JavaScript, because a thread has no loader for TypeScript.
//
// Weights hardly repeat, but the first byte of a float, which holds its exponent, has few values. So the bytes of a chunk are divided
// into planes by their position in a value of 1, 2 or 4 bytes, and each plane that gains is deflated. With Huffman codes alone that is
// smaller and faster than what gzip or zstd make of the whole, and each version of Node.js can read it.
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { joinPlanes, splitPlanes } from './planes.mjs'

/**
 * @typedef {{ coding: number, bytes: Uint8Array }} Encoded
 * `coding`: 0 for the bytes as they are. Otherwise the width of a value in bits 0 to 3, and in bits 4 to 7 which planes are deflated.
 */

/** A plane with more bits of information in a byte is stored as it is. */
const WORTH_DEFLATING_BITS = 7.6
/** Below this, bytes that are not divided are text or tables, in which sequences repeat. */
const REPEATS_BELOW_BITS = 6
/** Below this, a plane of floats has the same byte nearly everywhere. */
const CONSTANT_BELOW_BITS = 1
const MOST_OF_THE_SIZE = 0.95
const SAMPLED_EACH = 10

/**
 * @param {Uint8Array} chunk
 * @returns {Encoded}
 */
export function encode(chunk) {
  const { width, bits } = bestWidth(chunk)
  const asItIs = { coding: 0, bytes: chunk }
  if (bits.every((each) => each > WORTH_DEFLATING_BITS)) return asItIs
  const values = Math.floor(chunk.length / width)
  /** @type {Uint8Array[]} */
  const parts = []
  let coding = width
  for (const [plane, bytes] of splitPlanes(chunk, width, values).entries()) {
    const information = bits[plane] ?? 8
    const isRepeating = information < (width === 1 ? REPEATS_BELOW_BITS : CONSTANT_BELOW_BITS)
    const deflated = information > WORTH_DEFLATING_BITS ? undefined : deflate(bytes, isRepeating)
    if (!deflated || deflated.length + 4 > bytes.length) {
      parts.push(bytes)
      continue
    }
    coding |= 16 << plane
    parts.push(lengthOf(deflated), deflated)
  }
  parts.push(chunk.subarray(values * width))
  const bytes = Buffer.concat(parts)
  return bytes.length > chunk.length * MOST_OF_THE_SIZE ? asItIs : { coding, bytes }
}

/**
 * Throws for bytes that `encode` did not make.
 * @param {Uint8Array} stored
 * @param {number} coding
 * @param {Uint8Array} target is filled
 */
export function decode(stored, coding, target) {
  if (coding === 0) {
    if (stored.length !== target.length) throw new Error('A chunk has another size than the index says')
    target.set(stored)
    return
  }
  const width = coding & 15
  if (![1, 2, 4].includes(width)) throw new Error(`A chunk has the unknown coding ${coding}`)
  const values = Math.floor(target.length / width)
  const planes = []
  let at = 0
  for (let plane = 0; plane < width; plane++) {
    const isDeflated = (coding & (16 << plane)) !== 0
    const length = isDeflated ? Buffer.from(stored.buffer, stored.byteOffset + at, 4).readUInt32LE(0) : values
    if (isDeflated) at += 4
    const bytes = stored.subarray(at, at + length)
    at += length
    planes.push(isDeflated ? inflate(bytes, values) : bytes)
  }
  if (planes.some(({ length }) => length !== values)) throw new Error('A chunk has another size than the index says')
  joinPlanes(planes, target)
  target.set(stored.subarray(at, at + target.length - values * width), values * width)
}

/**
 * Without a limit, a damaged file could make the process allocate any amount of memory. With room for one byte more, the end is found
 * in one step.
 * @param {Uint8Array} bytes
 * @param {number} length
 */
function inflate(bytes, length) {
  return inflateRawSync(bytes, { maxOutputLength: Math.max(length, 1), chunkSize: Math.max(length + 1, 64) })
}

/** @param {Uint8Array} bytes @param {boolean} isRepeating */
function deflate(bytes, isRepeating) {
  return deflateRawSync(bytes, {
    level: 1,
    strategy: isRepeating ? constants.Z_DEFAULT_STRATEGY : constants.Z_HUFFMAN_ONLY,
  })
}

/** @param {Uint8Array} bytes */
function lengthOf({ length }) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}

/**
 * The width of a value that gives the smallest planes, with the bits of information in a byte of each plane. Looks at a sample.
 * @param {Uint8Array} chunk
 */
function bestWidth(chunk) {
  const counts = new Uint32Array(4 * 256)
  const step = 4 * (chunk.length < 4096 ? 1 : SAMPLED_EACH)
  for (let at = 0; at + 3 < chunk.length; at += step)
    for (let place = 0; place < 4; place++) {
      const counter = 256 * place + (chunk[at + place] ?? 0)
      counts[counter] = (counts[counter] ?? 0) + 1
    }
  let best = { width: 1, bits: [bitsOf(counts, 0, 1)], cost: 8 }
  best.cost = costOf(best.bits)
  for (const width of [2, 4]) {
    const bits = Array.from({ length: width }, (_, plane) => bitsOf(counts, plane, width))
    const cost = costOf(bits)
    // A plane costs some bytes and some time.
    if (cost < best.cost - 0.05) best = { width, bits, cost }
  }
  return best
}

/** The average bits that a byte takes. @param {number[]} bits */
function costOf(bits) {
  return bits.reduce((sum, each) => sum + (each > WORTH_DEFLATING_BITS ? 8 : each), 0) / bits.length
}

/**
 * Bits of information in a byte of a plane: the entropy of the counted values.
 * @param {Uint32Array} counts 256 counters for each of 4 places
 * @param {number} plane
 * @param {number} width
 */
function bitsOf(counts, plane, width) {
  const sums = new Float64Array(256)
  let total = 0
  for (let place = plane; place < 4; place += width)
    for (let value = 0; value < 256; value++) {
      const count = counts[256 * place + value] ?? 0
      sums[value] = (sums[value] ?? 0) + count
      total += count
    }
  let bits = 0
  for (const sum of sums) if (sum > 0) bits -= (sum / total) * Math.log2(sum / total)
  return bits
}
