/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}

/** A text that is equal for equal inputs. For a view it covers the bytes of the view, and not the rest of the buffer. */
export function describe(input: unknown): string {
  if (ArrayBuffer.isView(input)) return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1')
  return typeof input === 'object' ? JSON.stringify(input) : String(input)
}

/** The seed of all answers of a mock to this input. */
export function seedOf(model: string, task: string, input: unknown): number {
  return hash(`${model}\0${task}\0${describe(input)}`)
}

/** Numbers from -1 to 1. Equal seeds give equal numbers. */
export function numbers(seed: number, count: number): number[] {
  let state = seed || 1
  return Array.from({ length: count }, () => {
    // xorshift32
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  })
}

/** A vector of length 1. */
export function unitVector(seed: number, dimension: number): number[] {
  const vector = numbers(seed, dimension)
  const norm = Math.hypot(...vector)
  return vector.map((value) => value / norm)
}
