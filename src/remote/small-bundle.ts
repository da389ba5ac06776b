import { type Digest, isContent, isDigest } from '../model/digest.ts'
import { isCount, isObject, isText } from '../model/json.ts'
import { LARGEST_SMALL_FILE } from '../model/remote-object.ts'
import { parseObject, readObject } from './read-object.ts'
import type { CallOptions, RemoteStore } from './store.ts'
import { checkVersion, UnusableObject } from './unusable.ts'

// One object with the small files of a model, so that they cost one request. It is a line of JSON, the header, and then the bytes of the
// files in the order of the header.

const FORMAT_VERSION = 1
/** Bytes of all files in a bundle. */
const LARGEST_CONTENT = 4 << 20
const MOST_FILES = 2000
const LARGEST_HEADER = 256 << 10
/** Bytes of a whole bundle. */
export const LARGEST_BUNDLE = LARGEST_HEADER + LARGEST_CONTENT
const LINE_BREAK = 0x0a

interface Stated {
  digest: Digest
  /** Bytes. */
  size: number
}

/** The files that go into a bundle: the smallest ones, each content once. The order does not depend on that of `files`. */
export function chooseSmallFiles<File extends Stated>(files: Iterable<File>): File[] {
  const byDigest = new Map([...files].map((file) => [file.digest, file]))
  const sorted = [...byDigest.values()].sort((a, b) => a.size - b.size || (a.digest < b.digest ? -1 : 1))
  let bytes = 0
  return sorted.slice(0, MOST_FILES).filter(({ size }) => {
    bytes += size
    return size <= LARGEST_SMALL_FILE && bytes <= LARGEST_CONTENT
  })
}

export function packBundle(files: (Stated & { bytes: Uint8Array })[]): Uint8Array {
  const header = { formatVersion: FORMAT_VERSION, files: files.map(({ digest, size }) => [digest, size]) }
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...files.map(({ bytes }) => bytes)])
}

/** The files of a bundle whose bytes have the digest that the header states. Throws `UnusableObject`, also for a newer version. */
export function unpackBundle(bytes: Uint8Array): Map<Digest, Uint8Array> {
  const end = bytes.subarray(0, LARGEST_HEADER).indexOf(LINE_BREAK)
  if (end === -1) throw new UnusableObject('It has no header.')
  const stated = parseHeader(bytes.subarray(0, end))
  let at = end + 1
  const total = stated.reduce((sum, { size }) => sum + size, 0)
  if (total > LARGEST_CONTENT || at + total !== bytes.byteLength)
    throw new UnusableObject('Its length is not the one that its header states.')
  const files = new Map<Digest, Uint8Array>()
  for (const { digest, size } of stated) {
    const content = bytes.subarray(at, at + size)
    if (isContent(content, { digest, size })) files.set(digest, content)
    at += size
  }
  return files
}

/** The small files in a bundle of a store. Undefined if there is no such bundle. Throws `UnusableObject`. */
export async function readBundle(
  store: Pick<RemoteStore, 'get'>,
  key: string,
  { signal }: CallOptions,
): Promise<Map<Digest, Uint8Array> | undefined> {
  const bytes = await readObject(store, key, { limit: LARGEST_BUNDLE, signal })
  return bytes && unpackBundle(bytes)
}

function parseHeader(bytes: Uint8Array): Stated[] {
  const { value } = parseObject(bytes)
  if (!isObject(value)) throw new UnusableObject('Its header is not valid.')
  const { formatVersion, files } = value
  checkVersion(formatVersion, FORMAT_VERSION)
  if (!Array.isArray(files) || files.length > MOST_FILES) throw new UnusableObject('Its header is not valid.')
  return files.map((file: unknown) => {
    const [digest, size]: unknown[] = Array.isArray(file) ? file : []
    if (!isText(digest) || !isDigest(digest) || !isCount(size) || size > LARGEST_SMALL_FILE)
      throw new UnusableObject('Its header is not valid.')
    return { digest, size }
  })
}
