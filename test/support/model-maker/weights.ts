import { ElementType } from './onnx-proto.ts'
import type { Payload } from './protobuf.ts'

const BLOCK_BYTES = 1024 * 1024

export type WeightType = Extract<ElementType, 1 | 2 | 3 | 10>

/** The bits of a random word that are kept, and those that are always set, so that each element is a number of ordinary size. */
interface BitPattern {
  bytes: number
  keep: number
  set: number
}

const BIT_PATTERNS: Record<WeightType, BitPattern> = {
  // Exponents 120 to 127: magnitudes from 2^-7 to 2. 27 of the 32 bits are random, so gzip gains little.
  [ElementType.float]: { bytes: 4, keep: 0x83ffffff, set: 0x3c000000 },
  // Exponents 14 and 15: magnitudes from 0.5 to 2.
  [ElementType.float16]: { bytes: 2, keep: 0x87ff87ff, set: 0x38003800 },
  [ElementType.int8]: { bytes: 1, keep: 0xffffffff, set: 0 },
  [ElementType.uint8]: { bytes: 1, keep: 0xffffffff, set: 0 },
}

/** As above, for tensors of a deep graph: magnitudes from 2^-7 to 2^-3, as in trained weights, so that values stay bounded. */
const SMALL_PATTERNS: typeof BIT_PATTERNS = {
  ...BIT_PATTERNS,
  [ElementType.float]: { bytes: 4, keep: 0x81ffffff, set: 0x3c000000 },
  [ElementType.float16]: { bytes: 2, keep: 0x8fff8fff, set: 0x20002000 },
}

export function bytesPerWeight(type: WeightType): number {
  return BIT_PATTERNS[type].bytes
}

/** Random weights, generated 1 MiB at a time. A seed always gives the same weights. `count` is rounded up to full 4 bytes. */
export function randomWeights(type: WeightType, count: number, seed: number): Payload {
  return randomPayload(BIT_PATTERNS[type], count, seed)
}

/** As `randomWeights`, with the magnitudes of trained weights. */
export function smallWeights(type: WeightType, count: number, seed: number): Payload {
  return randomPayload(SMALL_PATTERNS[type], count, seed)
}

function randomPayload({ bytes, keep, set }: BitPattern, count: number, seed: number): Payload {
  const byteLength = Math.ceil((count * bytes) / 4) * 4
  return { byteLength, blocks: () => randomBlocks(byteLength, seed, keep, set) }
}

/** As `randomWeights`, for small tensors. */
export function randomFloats(count: number, seed: number): number[] {
  const values: number[] = []
  for (const block of randomWeights(ElementType.float, count, seed).blocks()) {
    for (const value of new Float32Array(block.buffer, block.byteOffset, block.byteLength / 4)) values.push(value)
  }
  return values
}

// xorshift32 (Marsaglia, "Xorshift RNGs", 2003): three shifts for each word; it repeats only after 16 GiB.
function* randomBlocks(byteLength: number, seed: number, keep: number, set: number): Generator<Uint8Array> {
  const words = new Uint32Array(Math.min(byteLength, BLOCK_BYTES) / 4)
  // Similar seeds must have different states, and the state must not be 0, which xorshift never leaves.
  let state = Math.imul(seed + 1, 0x9e3779b1) || 1
  for (let written = 0; written < byteLength; written += words.byteLength) {
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[i] = (state & keep) | set
    }
    yield new Uint8Array(words.buffer, 0, Math.min(words.byteLength, byteLength - written))
  }
}
