import type { EntryFile } from '../../model/entry.ts'
import type { CacheContext } from '../context/context.ts'
import { isAsRecorded, matchesDigest, ownStampOf, stampOf } from '../store/blobs.ts'
import { linkIntoSnapshot } from '../store/downloads/links.ts'
import { adoptBlob, copyBlob } from './adopt-blob.ts'
import { downloadBlob } from './download-blob.ts'
import { type BlobTarget, type FileTarget, fileFailure, targetLabel } from './file-target.ts'
import { NotOnRemote } from './not-on-remote.ts'
import { restoreBlob } from './restore-blob.ts'
import { restorePacked } from './restore-packed.ts'

/** Where the bytes of a file were found. */
export type BlobSource = 'disk' | 'adopted' | 'cold' | 'remote' | 'hub'

/**
 * Makes sure that the cache has the verified blob of a file: it is on disk, is adopted from another cache, is restored from the pack
 * files, is taken from the remote, or is downloaded.
 */
export async function ensureBlob(context: CacheContext, target: FileTarget): Promise<BlobSource> {
  target.signal?.throwIfAborted()
  const source = (await isPresent(context, target))
    ? 'disk'
    : !target.onlyHere && (await adoptBlob(context, target))
      ? 'adopted'
      : undefined
  if (source !== undefined) {
    target.onBytes.present(target.stated.size)
    return source
  }
  if (await restorePacked(context, target)) return 'cold'
  if (target.onlyHere) throw fileFailure(target, 'DIGEST_MISMATCH', 'Its packed copy is missing or damaged.')
  if (await restoreBlob(context, target)) return 'remote'
  if (context.options.downloads === false) throw new NotOnRemote(target, (await context.remote())?.leftAlone)
  await downloadBlob(context, target)
  return 'hub'
}

/** Links a blob into its snapshot folder. Returns the record of the file, without its download time. */
export async function linkFile(context: CacheContext, target: BlobTarget): Promise<Omit<EntryFile, 'downloadMs'>> {
  const { layout } = context
  const { snapshot, path, known } = target
  const { repo } = target.model
  const { digest, size } = target.stated
  const file = layout.file(repo, snapshot, path)
  const isLinked = known?.digest === digest && isAsRecorded(ownStampOf(file), known)
  if (!isLinked || (await context.validation({ repo, snapshot })) === 'digest')
    await linkIntoSnapshot(layout, { repo, snapshot, path, digest })
  const stamp = stampOf(file)
  if (stamp?.size !== size)
    throw fileFailure(target, 'CACHE_UNUSABLE', 'It vanished or changed while it was added to the cache.')
  return { ...stamp, digest }
}

/**
 * True when the blob is unchanged since it was verified, or when its digest, computed again, is the stated one. A blob that
 * another user can change by another name is replaced by a copy.
 */
export async function isPresent(context: CacheContext, target: BlobTarget): Promise<boolean> {
  const { model, snapshot, path, stated, known } = target
  const isRecorded =
    known?.digest === stated.digest && (await context.validation({ repo: model.repo, snapshot })) !== 'digest'
  if (isRecorded && isAsRecorded(ownStampOf(context.layout.file(model.repo, snapshot, path)), known)) return true
  const blob = context.layout.blob(model.repo, stated.digest)
  if (!stampOf(blob)) return false
  const name = targetLabel(target)
  if (await matchesDigest(blob, stated.digest, stated.size, target.signal)) {
    context.debug(`Validation: ${name} ${known ? 'was restored or copied' : 'has no record'}; its digest is correct`)
    return ownStampOf(blob) !== undefined || copyBlob(context, target, blob)
  }
  context.warn(`${name} in the cache is not what the Hub stated; it is replaced.`)
  return false
}
