import { download } from '../../hub/download.ts'
import { explainHubError } from '../../hub/explain-error.ts'
import { HubHttpError } from '../../hub/http.ts'
import { withRetry } from '../../hub/retry.ts'
import { DigestMismatchError } from '../../model/broken-download.ts'
import { isSystemError, ModelCacheError, messageOf } from '../../model/errors.ts'
import type { CacheContext } from '../context/context.ts'
import { IncomingFile } from '../store/incoming.ts'
import { type FileTarget, fileFailure, targetLabel } from './file-target.ts'

/** A file whose digest is wrong is tried once more from zero; what broke otherwise goes on where it stands. */
export async function downloadBlob(context: CacheContext, target: FileTarget): Promise<void> {
  const { model, commit, path, stated, hub, signal } = target
  if (context.options.offline)
    throw fileFailure(target, 'OFFLINE', 'It is missing in the cache, and the cache is offline.')
  const incoming = await IncomingFile.claim(context.layout, stated.digest, stated.size)
  target.onBytes.kept(incoming.received)
  let mismatches = 0
  const attempt = async () => {
    try {
      const request = { repo: model.repo, commit, path, size: stated.size, signal, onBytes: target.onBytes.received }
      const connections = await context.connections()
      await download(hub, { ...request, stallMs: context.options.stallMs, connections }, incoming)
      await incoming.publish(context.layout.blob(model.repo, stated.digest))
    } catch (error) {
      if (!(error instanceof DigestMismatchError)) throw error
      target.onBytes.kept(-incoming.received)
      await incoming.restart()
      if (++mismatches === 2) throw fileFailure(target, 'DIGEST_MISMATCH', `${error.message}.`, error)
      throw error
    }
  }
  try {
    let mark = incoming.received
    await withRetry(attempt, {
      signal,
      // Bounded all the same: a file has only so many megabytes to come further by.
      madeProgress: () => {
        const gained = incoming.received - mark
        // Further than ever: who begins anew each time, and breaks off now here and now there, comes no further.
        mark = Math.max(mark, incoming.received)
        return gained >= 1 << 20
      },
      onWait: target.onBytes.waiting,
      onRetry: (error, waitMs) =>
        context.debug(
          `Download of ${targetLabel(target)} failed (${messageOf(error)}); next try in ${Math.round(waitMs)} ms`,
        ),
    })
  } catch (error) {
    const explained = explainFailure(error, target)
    // On a disk that is full nothing is left behind.
    const isDisk = explained instanceof ModelCacheError && explained.code === 'CACHE_UNUSABLE'
    await (isDisk ? incoming.discard() : incoming.abandon())
    throw explained
  }
}

function explainFailure(error: unknown, target: FileTarget): unknown {
  if (error instanceof HubHttpError && error.status === 404)
    return fileFailure(target, 'FILE_NOT_FOUND', 'The Hub lists it, and answered that there is no such file.', error)
  return explainDiskError(
    explainHubError(error, { asked: `File ${targetLabel(target)}`, repo: target.model.repo }, target.hub),
    target,
  )
}

/** What is no trouble of the Hub's is the disk's: full, read-only, gone. */
function explainDiskError(error: unknown, target: FileTarget): unknown {
  const isDisk = !(error instanceof ModelCacheError) && isSystemError(error)
  return isDisk ? fileFailure(target, 'CACHE_UNUSABLE', `It could not be written: ${messageOf(error)}.`, error) : error
}
