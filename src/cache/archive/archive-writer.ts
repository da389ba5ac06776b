import type { Digest } from '../../model/digest.ts'
import { type ArchivedModel, blobsOf, printContents } from './contents.ts'
import { CONTENTS, END, headerBlock, memberOf, paddingAfter } from './tar.ts'

/** The bytes of an archive. `open` reads the content of a digest, and must deliver as many bytes as the models state. */
export async function* archiveOf(
  models: ArchivedModel[],
  open: (digest: Digest, size: number) => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const contents = Buffer.from(printContents(models))
  yield* member(CONTENTS, contents.length, [contents])
  for (const [digest, size] of blobsOf(models)) yield* member(memberOf(digest), size, open(digest, size))
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
