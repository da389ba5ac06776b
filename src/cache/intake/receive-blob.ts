import { transfer } from '../../hub/download.ts'
import type { PartSource } from '../../hub/download-request.ts'
import { BrokenDownloadError, DigestMismatchError, SizeMismatchError } from '../../model/broken-download.ts'
import { isSystemError, messageOf } from '../../model/errors.ts'
import type { Remote } from '../../remote/remote.ts'
import type { CacheContext } from '../context/context.ts'
import { IncomingFile } from '../store/downloads/incoming.ts'
import { explainDiskError } from './explain-disk-error.ts'
import { type FileTarget, targetLabel } from './file-target.ts'

// After that many tries that brought less than a megabyte, the rest comes from the Hub.
const MOST_TRIES = 2

/** The remote has no such object. */
export class AbsentError extends Error {
  override readonly name = 'AbsentError'
}

/** Bytes of this machine that belong to the blob can't be read: they were removed meanwhile, or are damaged. */
export class LocalBytesError extends Error {
  override readonly name = 'LocalBytesError'
}

/** The remote has the parts of the blob, and reading them would take longer than the whole blob. */
export class CostlyError extends Error {
  override readonly name = 'CostlyError'
}

/** Why a blob could not be received. `wrong`: all of it arrived, and it is not what was stated. `unreadable`: see `LocalBytesError`. */
export interface Failed {
  is: 'absent' | 'wrong' | 'unreadable' | 'costly' | 'failed'
  reason: string
}

export type Received = { is: 'complete' } | Failed

interface Receiving {
  remote: Remote
  source: PartSource
  /** Called with the bytes that arrive. Undefined where the source counts them. */
  onBytes?: (bytes: number) => void
}

/** Receives a blob. What arrived before a failure is kept for the download from the Hub. Throws the errors of the disk. */
export async function receiveBlob(context: CacheContext, target: FileTarget, receiving: Receiving): Promise<Received> {
  const { stated, onBytes } = target
  const incoming = await IncomingFile.claim(context.layout, stated.digest, stated.size)
  onBytes.kept(incoming.received)
  try {
    await receive(context, target, { ...receiving, incoming })
    await incoming.publish(context.layout.blob(target.model.repo, stated.digest))
    receiving.remote.noteSuccess()
    context.debug(`Took ${targetLabel(target)} from ${receiving.remote.name}`)
    return { is: 'complete' }
  } catch (error) {
    onBytes.kept(-incoming.received)
    const isWrong = error instanceof DigestMismatchError || error instanceof SizeMismatchError
    const isDisk = isSystemError(error)
    await (isWrong || isDisk ? incoming.discard() : incoming.abandon())
    target.signal?.throwIfAborted()
    if (isDisk) throw explainDiskError(error, target)
    return { is: isWrong ? 'wrong' : kindOf(error), reason: messageOf(error) }
  }
}

function kindOf(error: unknown): Failed['is'] {
  if (error instanceof AbsentError) return 'absent'
  if (error instanceof CostlyError) return 'costly'
  return error instanceof LocalBytesError ? 'unreadable' : 'failed'
}

/** Receives what is missing. After a cut, continues where it stopped. */
async function receive(
  context: CacheContext,
  { path, stated, signal }: FileTarget,
  { remote, source, incoming, onBytes }: Receiving & { incoming: IncomingFile },
): Promise<void> {
  // A store that sends only whole objects is read on one connection.
  const connections = remote.store.lacksRanges ? undefined : await context.connections()
  const request = { path, size: stated.size, signal, onBytes, connections }
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
