import { formatSize } from '../config/units.ts'
import { GrowingBytes } from '../platform/growing-bytes.ts'
import type { CallOptions, RemoteStore } from './store.ts'
import { UnusableObject } from './unusable.ts'

/** A whole object. Undefined if there is none. Throws `UnusableObject` as soon as it is larger than `limit` bytes. */
export async function readObject(
  store: Pick<RemoteStore, 'get'>,
  key: string,
  { limit, signal }: CallOptions & { limit: number },
): Promise<Uint8Array | undefined> {
  const chunks = await store.get(key, { signal })
  if (!chunks) return undefined
  const bytes = new GrowingBytes()
  for await (const chunk of chunks) {
    if (bytes.length + chunk.byteLength > limit) throw new UnusableObject(`It is larger than ${formatSize(limit)}.`)
    bytes.add(chunk)
  }
  return bytes.all
}

/** The text and the parsed value of an object. Throws `UnusableObject`. */
export function parseObject(bytes: Uint8Array): { text: string; value: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return { text, value: JSON.parse(text) }
  } catch (cause) {
    throw new UnusableObject('It is not valid JSON.', { cause })
  }
}
