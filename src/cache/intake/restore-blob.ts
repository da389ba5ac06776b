import { existsSync } from 'node:fs'
import type { Opened, PartSource } from '../../hub/download-request.ts'
import { LARGEST_SMALL_FILE, SMALLEST_MAPPED_FILE } from '../../model/remote-object.ts'
import type { Span } from '../../model/spans.ts'
import type { Remote } from '../../remote/remote.ts'
import type { CacheContext } from '../context/context.ts'
import { contentsOfPath } from '../lookup/contents-of-path.ts'
import { type FileTarget, targetLabel } from './file-target.ts'
import { openObject } from './object-bytes.ts'
import { receiveBlob } from './receive-blob.ts'

/**
 * Gets a blob from the remote: as a whole object, or by its chunk map, with what this machine has of it. True if it is in the cache now,
 * with the stated digest. What arrived before a failure is kept for the download from the Hub.
 */
export async function restoreBlob(context: CacheContext, target: FileTarget): Promise<boolean> {
  const { stated, model, path, onRemote } = target
  const remote = await onRemote.open(path)
  if (!remote) return false
  const small = stated.size <= LARGEST_SMALL_FILE ? await onRemote.small(remote, stated.digest) : undefined
  if (small) return restoreFrom(context, target, remote, bytesSource(small))
  const whole = async () => restoreFrom(context, target, remote, await objectSource(remote, target))
  if (stated.size < SMALLEST_MAPPED_FILE) return whole()
  const others = await contentsOfPath(context, { repo: model.repo, path, digest: stated.digest })
  const mapped = async () => {
    const { restoreMapped } = await import('./mapped/restore-mapped.ts')
    return restoreMapped(context, target, { remote, others })
  }
  // Without another revision here, the map is only of use where there is no whole object. So a file costs one request in most cases.
  const isOtherHere = others.some(({ digest, file }) => file ?? existsSync(context.layout.packedBlob(digest)))
  return isOtherHere ? (await mapped()) || whole() : (await whole()) || mapped()
}

async function restoreFrom(
  context: CacheContext,
  target: FileTarget,
  remote: Remote,
  source: PartSource,
): Promise<boolean> {
  if (!remote.isAsked) return false
  const received = await receiveBlob(context, target, { remote, source, onBytes: target.onBytes.restored })
  if (received.is === 'wrong') remote.noteWrong(`${targetLabel(target)}: ${received.reason}`)
  if (received.is === 'failed') {
    context.debug(`${targetLabel(target)} could not be taken from ${remote.name}: ${received.reason}`)
    remote.noteFailure(received.reason)
  }
  return received.is === 'complete'
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
async function objectSource(remote: Remote, { stated: { digest, size } }: FileTarget): Promise<PartSource> {
  const { blobKey } = await import('../../remote/keys.ts')
  const open = async (span: Span, signal: AbortSignal): Promise<Opened> => {
    const isWhole = span.start === 0 && span.end === size
    return { body: await openObject(remote, blobKey(digest), { size, ...(!isWhole && { span }) }, signal), span }
  }
  return { first: open, next: open }
}
