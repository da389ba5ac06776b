import { createHash, randomFillSync } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

export type WeightType = 'fp32' | 'fp16' | 'int8'

const BYTES_OF = { fp32: 4, fp16: 2, int8: 1 }
const BLOCK_VALUES = 1 << 20

/** Writes a file of random weights, which have a normal distribution as those of models. Returns its sha256. */
export async function makeWeights(path: string, type: WeightType, bytes: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  const hash = createHash('sha256')
  const heads = headsOf(type)
  try {
    for (let written = 0; written < bytes; ) {
      const part = block(type, heads).subarray(0, bytes - written)
      hash.update(part)
      await file.writeFile(part)
      written += part.length
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

/** A weight is drawn from a table. The lower half of a float of 4 bytes is random. */
function block(type: WeightType, heads: Uint16Array): Buffer {
  const random = randomFillSync(new Uint32Array(BLOCK_VALUES))
  const bytes = Buffer.alloc(BLOCK_VALUES * BYTES_OF[type])
  for (const [at, value] of random.entries()) {
    const head = heads[value >>> 16] ?? 0
    if (type === 'fp32') bytes.writeUInt32LE(((head << 16) | (value & 0xffff)) >>> 0, 4 * at)
    else if (type === 'fp16') bytes.writeUInt16LE(head, 2 * at)
    else bytes[at] = head
  }
  return bytes
}

/** The first two bytes of 65,536 weights with a deviation of 0.05, or all of a smaller type. */
function headsOf(type: WeightType): Uint16Array {
  const [floats, words] = [new Float32Array(1), new Uint32Array(1)]
  return Uint16Array.from({ length: 1 << 16 }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
    if (type === 'int8') return Math.max(-127, Math.min(127, Math.round(42 * normal))) & 0xff
    floats[0] = 0.05 * normal
    new Uint8Array(words.buffer).set(new Uint8Array(floats.buffer))
    const word = words[0] ?? 0
    return type === 'fp32' ? word >>> 16 : halfOf(word)
  })
}

/** A float of 2 bytes. Values that are too small for it become 0. */
function halfOf(word: number): number {
  const exponent = ((word >>> 23) & 0xff) - 112
  return ((word >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((word >>> 13) & 0x3ff))
}
