import { transfer } from '../../hub/download.ts'
import type { Opened, PartSource } from '../../hub/download-request.ts'
import { BrokenDownloadError, DigestMismatchError, SizeMismatchError } from '../../model/broken-download.ts'
import { isSystemError, messageOf } from '../../model/errors.ts'
import { LARGEST_SMALL_FILE } from '../../model/remote-object.ts'
import type { Span } from '../../model/spans.ts'
import type { Remote } from '../../remote/remote.ts'
import type { CacheContext } from '../context/context.ts'
import { IncomingFile } from '../store/downloads/incoming.ts'
import { explainDiskError } from './explain-disk-error.ts'
import { type FileTarget, targetLabel } from './file-target.ts'

// After that many tries that brought less than a megabyte, the rest comes from the Hub.
const MOST_TRIES = 2

/**
 * Gets a blob from the remote. True if it is in the cache now, with the stated digest. What arrived before a failure is kept for the
 * download from the Hub.
 */
export async function restoreBlob(context: CacheContext, target: FileTarget): Promise<boolean> {
  const remote = await target.onRemote.open(target.path)
  if (!remote) return false
  const { stated, onBytes } = target
  const small = stated.size <= LARGEST_SMALL_FILE ? await target.onRemote.small(remote, stated.digest) : undefined
  const source = small ? bytesSource(small) : await objectSource(remote, target)
  if (!remote.isAsked) return false
  const incoming = await IncomingFile.claim(context.layout, stated.digest, stated.size)
  const kept = incoming.received
  onBytes.kept(kept)
  try {
    await receive(context, target, { remote, source, incoming })
    await incoming.publish(context.layout.blob(target.model.repo, stated.digest))
    remote.noteSuccess()
    context.debug(`Took ${targetLabel(target)} from ${remote.name}`)
    return true
  } catch (error) {
    onBytes.kept(-incoming.received)
    const isWrong = error instanceof DigestMismatchError || error instanceof SizeMismatchError
    const isDisk = isSystemError(error)
    await (isWrong || isDisk ? incoming.discard() : incoming.abandon())
    target.signal?.throwIfAborted()
    if (isDisk) throw explainDiskError(error, target)
    if (isWrong) remote.noteWrong(`${targetLabel(target)}: ${error.message}`)
    else if (!(error instanceof AbsentError)) {
      context.debug(`${targetLabel(target)} could not be taken from ${remote.name}: ${messageOf(error)}`)
      remote.noteFailure(messageOf(error))
    }
    return false
  }
}

interface Restore {
  remote: Remote
  source: PartSource
  incoming: IncomingFile
}

/** Receives what is missing. After a cut, continues where it stopped. */
async function receive(
  context: CacheContext,
  target: FileTarget,
  { remote, source, incoming }: Restore,
): Promise<void> {
  const { path, stated, signal, onBytes } = target
  // A store that sends only whole objects is read on one connection.
  const connections = remote.store.lacksRanges ? undefined : await context.connections()
  const request = { path, size: stated.size, signal, onBytes: onBytes.restored, connections }
  let tries = 0
  for (;;) {
    const before = incoming.received
    try {
      return await transfer(source, request, incoming)
    } catch (error) {
      tries = incoming.received - before >= 1 << 20 ? 1 : tries + 1
      const mayPass = error instanceof BrokenDownloadError && !(error instanceof SizeMismatchError)
      if (!mayPass || tries === MOST_TRIES || !remote.isAsked || signal?.aborted) throw error
    }
  }
}

/** The remote has no such object. */
class AbsentError extends Error {
  override readonly name = 'AbsentError'
}

/** The parts of a file in memory. */
function bytesSource(bytes: Uint8Array): PartSource {
  const open = async (span: Span) => ({ body: oneChunk(bytes.subarray(span.start, span.end)), span })
  return { first: open, next: open }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** The parts of an object of the remote. */
async function objectSource(remote: Remote, { stated, path }: FileTarget): Promise<PartSource> {
  const { blobKey } = await import('../../remote/keys.ts')
  const key = blobKey(stated.digest)
  const open = async (span: Span, signal: AbortSignal): Promise<Opened> => {
    // Without a range, an object that is too long is noticed.
    const range = span.start === 0 && span.end === stated.size ? {} : span
    const chunks = await remote.get(key, { ...range, signal }).catch(failed)
    if (!chunks) throw new AbsentError(`${remote.name} has no ${key}`)
    return { body: complete(chunks, { path, bytes: span.end - span.start, size: stated.size }), span }
  }
  return { first: open, next: open }
}

/** The chunks of a part. Throws `SizeMismatchError` if they are fewer bytes than expected. */
async function* complete(
  chunks: AsyncIterable<Uint8Array>,
  { path, bytes, size }: { path: string; bytes: number; size: number },
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
  if (left > 0)
    throw new SizeMismatchError(`${path} is shorter than the ${size} bytes that it should have`, 'fewer bytes')
}

/** Another try may succeed, as after a download that broke off. */
function failed(error: unknown): never {
  throw new BrokenDownloadError(messageOf(error))
}
