// Divides bytes into planes by their position in a value of 1, 2 or 4 bytes, and joins planes. Words of 4 bytes are read and written,
// which takes half the time of single bytes. Plain JavaScript, because a thread has no loader for TypeScript.

/** Words that a plane has room for. */
let room = 16 << 10
/** The bytes, and below it the planes one after the other. Used again for each chunk: new memory costs more than the work in it. */
let whole = new Uint32Array(4 * room)
let planes = new Uint32Array(4 * room)

/** @param {number} values */
function makeRoom(values) {
  if (values <= 4 * room) return
  room = Math.ceil(values / 4)
  whole = new Uint32Array(4 * room)
  planes = new Uint32Array(4 * room)
}

/** @param {number} plane @param {number} values */
function planeAt(plane, values) {
  return new Uint8Array(planes.buffer, 4 * room * plane, values)
}

/**
 * The planes of the first `width * values` bytes. They are overwritten by the next call.
 * @param {Uint8Array} bytes
 * @param {number} width
 * @param {number} values
 */
export function splitPlanes(bytes, width, values) {
  if (width === 1) return [bytes]
  makeRoom(values)
  new Uint8Array(whole.buffer).set(bytes.subarray(0, width * values))
  const words = Math.ceil(values / 4)
  if (width === 4) transpose(whole, { each: 4, plane: 1 }, planes, { each: 1, plane: room }, words)
  else splitPairs(words)
  return Array.from({ length: width }, (_, plane) => planeAt(plane, values))
}

/**
 * Joins planes of the same length at the start of `target`.
 * @param {Uint8Array[]} parts
 * @param {Uint8Array} target
 */
export function joinPlanes(parts, target) {
  const [first] = parts
  if (!first || parts.length === 1) return target.set(first ?? [])
  const values = first.length
  makeRoom(values)
  for (const [plane, part] of parts.entries()) planeAt(plane, values).set(part)
  const words = Math.ceil(values / 4)
  if (parts.length === 4) transpose(planes, { each: 1, plane: room }, whole, { each: 4, plane: 1 }, words)
  else joinPairs(words)
  target.set(new Uint8Array(whole.buffer, 0, parts.length * values))
}

/**
 * Takes 4 words at a time as the rows of 4 x 4 bytes, and writes the columns.
 * @typedef {{ each: number, plane: number }} Steps from the first word of four to that of the next four, and from one word to the next
 * @param {Uint32Array} from
 * @param {Steps} read
 * @param {Uint32Array} to
 * @param {Steps} write
 * @param {number} count
 */
function transpose(from, read, to, write, count) {
  const [readEach, readPlane, writeEach, writePlane] = [read.each, read.plane, write.each, write.plane]
  for (let i = 0, at = 0, out = 0; i < count; i++, at += readEach, out += writeEach) {
    const a = from[at] ?? 0
    const b = from[at + readPlane] ?? 0
    const c = from[at + 2 * readPlane] ?? 0
    const d = from[at + 3 * readPlane] ?? 0
    to[out] = (a & 0xff) | ((b & 0xff) << 8) | ((c & 0xff) << 16) | (d << 24)
    to[out + writePlane] = ((a >>> 8) & 0xff) | (b & 0xff00) | ((c & 0xff00) << 8) | ((d & 0xff00) << 16)
    to[out + 2 * writePlane] = ((a >>> 16) & 0xff) | ((b >>> 8) & 0xff00) | (c & 0xff0000) | ((d & 0xff0000) << 8)
    to[out + 3 * writePlane] = (a >>> 24) | ((b >>> 16) & 0xff00) | ((c >>> 8) & 0xff0000) | (d & 0xff000000)
  }
}

/** @param {number} words */
function joinPairs(words) {
  for (let at = 0; at < words; at++) {
    const a = planes[at] ?? 0
    const b = planes[room + at] ?? 0
    whole[2 * at] = (a & 0xff) | ((b & 0xff) << 8) | ((a & 0xff00) << 8) | ((b & 0xff00) << 16)
    whole[2 * at + 1] = ((a >>> 16) & 0xff) | ((b >>> 8) & 0xff00) | ((a >>> 8) & 0xff0000) | (b & 0xff000000)
  }
}

/** @param {number} words */
function splitPairs(words) {
  for (let to = 0; to < words; to++) {
    const a = whole[2 * to] ?? 0
    const b = whole[2 * to + 1] ?? 0
    planes[to] = (a & 0xff) | ((a >>> 8) & 0xff00) | ((b & 0xff) << 16) | ((b & 0xff0000) << 8)
    planes[room + to] = ((a >>> 8) & 0xff) | ((a >>> 16) & 0xff00) | ((b & 0xff00) << 8) | (b & 0xff000000)
  }
}
