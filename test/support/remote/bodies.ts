import type { ObjectBody } from '../../../src/remote/store.ts'

/** A body of these bytes. `size`: what it states, if that is not their number. */
export function bodyOf(bytes: Uint8Array | string, size?: number): ObjectBody {
  const whole = Buffer.from(bytes)
  return {
    size: size ?? whole.length,
    async *open(start = 0, end = whole.length) {
      for (let at = start; at < end; at += CHUNK) yield whole.subarray(at, Math.min(end, at + CHUNK))
    },
  }
}

const CHUNK = 64 * 1024

/** Bytes that differ at each place, so that parts in a wrong order are noticed. */
export function madeBytes(size: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let at = 0; at < words.length; at++) words[at] = Math.imul(at, 2654435761)
  return Buffer.from(words.buffer, 0, size)
}

export async function all<Item>(items: AsyncIterable<Item> | undefined): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items ?? []) found.push(item)
  return found
}

/** Undefined if there is no object. */
export async function bytesOf(chunks: AsyncIterable<Uint8Array> | undefined): Promise<Buffer | undefined> {
  return chunks && Buffer.concat(await all(chunks))
}

export async function textOf(chunks: AsyncIterable<Uint8Array> | undefined): Promise<string | undefined> {
  return (await bytesOf(chunks))?.toString()
}
