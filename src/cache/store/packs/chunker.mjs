// Content-defined chunking with a gear hash: a chunk ends where the hash of the last 17 bytes has a pattern. So bytes that are inserted
// or changed move only the chunk ends near them, and the other chunks are found again by their digests. Plain JavaScript, because a thread
// has no loader for TypeScript.

/** Bytes. A chunk is shorter only at the end of a file. */
const SHORTEST = 32 << 10
/** Bytes. */
const LONGEST = 256 << 10
/** A chunk ends where these bits of the hash are 0: on average after 32 kB beyond the shortest length. */
const PATTERN = -1 << 17
/** The hash has 32 bits, and each byte moves it by one: it depends on the last 32 bytes. */
const WINDOW = 32

const GEAR = gearTable()

/**
 * The chunks that are certain, and the bytes behind them, which need more bytes. With `isLast` all chunks are certain. Pure.
 * @param {Uint8Array} bytes
 * @param {boolean} isLast
 */
export function cutChunks(bytes, isLast) {
  /** @type {Uint8Array[]} */
  const chunks = []
  let start = 0
  while (start < bytes.length) {
    const end = endOf(bytes, start)
    const isCertain = isLast || end < bytes.length || end - start === LONGEST
    if (!isCertain) break
    chunks.push(bytes.subarray(start, end))
    start = end
  }
  return { chunks, rest: bytes.subarray(start) }
}

/** @param {Uint8Array} bytes @param {number} start */
function endOf(bytes, start) {
  const last = Math.min(start + LONGEST, bytes.length)
  let at = start + SHORTEST
  if (at >= last) return last
  let hash = 0
  for (let index = at - WINDOW; index < at; index++) hash = ((hash << 1) + (GEAR[bytes[index] ?? 0] ?? 0)) | 0
  while (at < last) {
    hash = ((hash << 1) + (GEAR[bytes[at++] ?? 0] ?? 0)) | 0
    if ((hash & PATTERN) === 0) break
  }
  return at
}

/** One fixed random number for each byte value. With another table, chunks that are stored already would not be found again. */
function gearTable() {
  let state = 0x9e3779b9
  return Int32Array.from({ length: 256 }, () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return mixed ^ (mixed >>> 14)
  })
}
