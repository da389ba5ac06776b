import { download } from '../hub/download.ts'
import { explainHubError, type HubAccess, HubHttpError } from '../hub/http.ts'
import { withRetry } from '../hub/retry.ts'
import { DigestMismatchError } from '../model/broken-download.ts'
import type { EntryFile } from '../model/entry.ts'
import { type ErrorCode, ModelCacheError, messageOf, nameOf, systemCode } from '../model/errors.ts'
import type { HubPath } from '../model/hub-path.ts'
import { type Model, modelLabel } from '../model/model.ts'
import type { Commit } from '../model/revision.ts'
import type { TreeFile } from '../model/tree.ts'
import type { CacheContext } from './context.ts'
import { linkIntoSnapshot, matchesDigest, stampOf } from './store/blobs.ts'
import { IncomingFile } from './store/incoming.ts'

export interface FileTarget {
  model: Model
  commit: Commit
  path: HubPath
  /** What the Hub states of it. */
  stated: TreeFile
  /** What we recorded of it. */
  known: EntryFile | undefined
  hub: HubAccess
  signal?: AbortSignal
  /** `present`: bytes that need no download. `received`: bytes as they come. */
  onBytes: { present: (bytes: number) => void; received: (bytes: number) => void }
}

/** Makes the blob of a file be there, verified. True when it had to be downloaded. */
export async function ensureBlob(context: CacheContext, target: FileTarget): Promise<boolean> {
  if (await isPresent(context, target)) {
    target.onBytes.present(target.stated.size)
    return false
  }
  await downloadBlob(context, target)
  return true
}

/** Makes a blob that is there visible in its snapshot, and says what to record of it. */
export async function linkFile(context: CacheContext, target: FileTarget): Promise<Omit<EntryFile, 'downloadMs'>> {
  const { repo } = target.model
  const { digest, size } = target.stated
  await linkIntoSnapshot(context.layout, { repo, commit: target.commit, path: target.path, digest })
  const stamp = await stampOf(context.layout.blob(repo, digest))
  if (stamp?.size !== size) throw failure(target, 'CACHE_UNUSABLE', 'It vanished or changed while it was brought in.')
  return { ...stamp, digest }
}

/** True when the blob is the one that we verified, or turns out to be right when its digest is computed again. */
async function isPresent(context: CacheContext, { model, path, stated, known }: FileTarget): Promise<boolean> {
  const blob = context.layout.blob(model.repo, stated.digest)
  const stamp = await stampOf(blob)
  if (!stamp) return false
  const isKnown = known?.digest === stated.digest && known.size === stamp.size
  if (isKnown && known.mtimeMs === stamp.mtimeMs && known.ino === stamp.ino) return true
  const name = `${path} of ${modelLabel(model)}`
  if (await matchesDigest(blob, stated.digest, stated.size)) {
    context.debug(`Validation: ${name} ${known ? 'was restored or copied' : 'has no record'}; its digest is right`)
    return true
  }
  context.warn(`${name} in the cache is not what the Hub stated; it is replaced.`)
  return false
}

/** A file whose digest is wrong is tried once more from zero; what broke otherwise goes on where it stands. */
async function downloadBlob(context: CacheContext, target: FileTarget): Promise<void> {
  const { model, commit, path, stated, hub, signal } = target
  if (context.options.offline) throw failure(target, 'OFFLINE', 'It is missing in the cache, and the cache is offline.')
  const incoming = await IncomingFile.claim(context.layout, stated.digest, stated.size)
  target.onBytes.received(incoming.received)
  let mismatches = 0
  const attempt = async () => {
    try {
      const request = { repo: model.repo, commit, path, size: stated.size, signal, onBytes: target.onBytes.received }
      const connections = await context.connections()
      await download(hub, { ...request, stallMs: context.options.stallMs, connections }, incoming)
      await incoming.publish(context.layout.blob(model.repo, stated.digest))
    } catch (error) {
      if (!(error instanceof DigestMismatchError)) throw error
      target.onBytes.received(-incoming.received)
      await incoming.restart()
      if (++mismatches === 2) throw failure(target, 'DIGEST_MISMATCH', `${error.message}.`, error)
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
        mark = incoming.received
        return gained >= 1 << 20
      },
      onRetry: (error, waitMs) =>
        context.debug(
          `Download of ${path} of ${modelLabel(model)} failed (${messageOf(error)}); next try in ${Math.round(waitMs)} ms`,
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
  const name = `File ${target.path} of ${modelLabel(target.model)}`
  if (error instanceof HubHttpError && error.status === 404)
    return failure(target, 'FILE_NOT_FOUND', 'The Hub lists it, and answered that there is no such file.', error)
  return explainDiskError(explainHubError(error, name, target.hub), target)
}

/** What is no trouble of the Hub's is the disk's: full, read-only, gone. */
function explainDiskError(error: unknown, target: FileTarget): unknown {
  const isDisk =
    systemCode(error) !== undefined && !(error instanceof ModelCacheError) && nameOf(error) !== 'AbortError'
  return isDisk ? failure(target, 'CACHE_UNUSABLE', `It could not be written: ${messageOf(error)}.`, error) : error
}

function failure({ model, path }: FileTarget, code: ErrorCode, reason: string, cause?: unknown): ModelCacheError {
  const name = modelLabel(model)
  const nextSteps: Partial<Record<ErrorCode, string>> = {
    FILE_NOT_FOUND: 'Run again; if it stays so, a proxy between you and the Hub may answer in its place.',
    OFFLINE: `Bring it in while online: \`npx vitest-model-cache warm ${name}\`.`,
    DIGEST_MISMATCH: 'Nothing was kept. A proxy between you and the Hub may change files: check it and HF_ENDPOINT.',
  }
  const nextStep = nextSteps[code] ?? 'Check the disk, or set MODEL_CACHE_DIR to a folder on another one.'
  return new ModelCacheError({ code, asked: `File ${path} of ${name}`, reason, nextStep, cause })
}
