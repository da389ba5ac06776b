import { BrokenDownloadError, SizeMismatchError } from '../../model/broken-download.ts'
import { messageOf } from '../../model/errors.ts'
import type { Span } from '../../model/spans.ts'
import type { Remote } from '../../remote/remote.ts'
import { AbsentError } from './receive-blob.ts'

/** What to read of an object: its size, and the range. Undefined: all of it. */
interface Wanted {
  size: number
  span?: Span
}

/** Opens a range of an object of the remote. Throws `AbsentError` and `BrokenDownloadError`; the bytes throw the latter, too. */
export async function openObject(
  remote: Remote,
  key: string,
  { size, span }: Wanted,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  // Without a range, an object that is too long is noticed.
  const chunks = await remote.get(key, { ...span, signal }).catch(failed)
  if (!chunks) throw new AbsentError(`${remote.name} has no ${key}`)
  const { start, end } = span ?? { start: 0, end: size }
  return complete(chunks, end - start, `${key} is shorter than the ${size} bytes that it should have`)
}

/** The chunks of a part. Throws `SizeMismatchError` if they are fewer bytes than expected. */
async function* complete(
  chunks: AsyncIterable<Uint8Array>,
  bytes: number,
  message: string,
): AsyncGenerator<Uint8Array> {
  let left = bytes
  try {
    for await (const chunk of chunks) {
      left -= chunk.byteLength
      yield chunk
    }
  } catch (error) {
    failed(error)
  }
  if (left > 0) throw new SizeMismatchError(message, 'fewer bytes')
}

/** Another try may succeed, as after a download that broke off. */
function failed(error: unknown): never {
  throw new BrokenDownloadError(messageOf(error))
}
