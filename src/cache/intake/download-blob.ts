import { download } from '../../hub/download.ts'
import { explainHubError } from '../../hub/explain-error.ts'
import { HubHttpError } from '../../hub/http.ts'
import { withRetry } from '../../hub/retry.ts'
import { DigestMismatchError, SizeMismatchError } from '../../model/broken-download.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import type { CacheContext } from '../context/context.ts'
import { IncomingFile } from '../store/downloads/incoming.ts'
import { explainDiskError } from './explain-disk-error.ts'
import { type FileTarget, fileFailure, targetLabel } from './file-target.ts'

/**
 * Downloads a blob. An interrupted download is resumed where it stopped. A file with a wrong digest is downloaded once more from
 * the beginning.
 */
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
      // What a lock file states can be wrong. Then a second try shows it, as with a digest.
      const isOther = error instanceof DigestMismatchError || (target.lockfile && error instanceof SizeMismatchError)
      if (!isOther) throw error
      target.onBytes.kept(-incoming.received)
      await incoming.restart()
      if (++mismatches === 2) throw otherContent(target, error)
      throw error
    }
  }
  try {
    let mark = incoming.received
    await withRetry(attempt, {
      signal,
      // Each megabyte of progress allows more tries. Their number is bounded by the size of the file.
      madeProgress: () => {
        const gained = incoming.received - mark
        // Only bytes beyond the furthest point so far count. A server that begins again at each try makes no progress.
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
    // After a failure of the disk, such as a full disk, the unfinished download is removed.
    const isDisk = explained instanceof ModelCacheError && explained.code === 'CACHE_UNUSABLE'
    await (isDisk ? incoming.discard() : incoming.abandon())
    throw explained
  }
}

function otherContent(target: FileTarget, error: DigestMismatchError | SizeMismatchError): ModelCacheError {
  const { stated, lockfile, hub } = target
  if (lockfile === undefined) return fileFailure(target, 'DIGEST_MISMATCH', `${error.message}.`, error)
  const states = `${lockfile} states ${stated.digest} (${stated.size} bytes)`
  return fileFailure(target, 'LOCK_MISMATCH', `${states}, and ${hub.endpoint} sent ${error.received}.`, error)
}

function explainFailure(error: unknown, target: FileTarget): unknown {
  const { lockfile, commit, hub } = target
  const isAbsent = error instanceof HubHttpError && error.status === 404
  if (isAbsent && lockfile !== undefined && error.errorCode !== 'RepoNotFound')
    return fileFailure(
      target,
      'LOCK_MISMATCH',
      `${lockfile} states it at commit ${commit.slice(0, 7)}, and ${hub.endpoint} answered that there is no such file.`,
      error,
    )
  if (isAbsent && lockfile === undefined)
    return fileFailure(target, 'FILE_NOT_FOUND', 'The Hub lists it, and answered that there is no such file.', error)
  return explainDiskError(
    explainHubError(error, { asked: `File ${targetLabel(target)}`, repo: target.model.repo }, target.hub),
    target,
  )
}
