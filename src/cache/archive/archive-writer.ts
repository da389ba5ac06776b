import type { Digest } from '../../model/digest.ts'
import { CONTENTS, END, headerBlock, memberOf, paddingAfter } from './tar.ts'

/**
 * The bytes of an archive: the list of its contents, then these. `open` reads the content of a digest, and must deliver as many bytes as
 * `blobs` states.
 */
export async function* archiveOf(
  contents: Buffer,
  blobs: ReadonlyMap<Digest, number>,
  open: (digest: Digest, size: number) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield* member(CONTENTS, contents.length, [contents])
  for (const [digest, size] of blobs) yield* member(memberOf(digest), size, open(digest, size))
  yield END
}

async function* member(
  name: string,
  size: number,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield headerBlock(name, size)
  yield* content
  const padding = paddingAfter(size)
  if (padding > 0) yield Buffer.alloc(padding)
}
