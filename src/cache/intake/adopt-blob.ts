import { constants } from 'node:fs'
import { chmod, copyFile, link, lstat, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../model/errors.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'
import { moveInto } from '../store/atomic-write.ts'
import { isWritableOnlyByUs, matchesDigest, stampOf } from '../store/blobs.ts'
import { uniqueBeside } from '../store/own-names.ts'
import { removeUnique } from '../store/remove-own.ts'
import { type BlobTarget, type FileTarget, targetLabel } from './file-target.ts'

/**
 * Adopts a blob from another Hugging Face cache. True when a cache has it and its digest is the stated one. The other cache is
 * only read: a hard link adds a name to a file and does not change the file. A file that another user can write is copied,
 * because that user could change it after we verified it and set its old time again.
 */
export async function adoptBlob(context: CacheContext, target: FileTarget): Promise<boolean> {
  for (const folder of await context.otherCaches()) {
    const { model, commit, path, stated } = target
    // On a file system without links the file is in the snapshot folder, and there is no blob.
    const candidates = [folder.blob(model.repo, stated.digest), folder.file(model.repo, snapshotOf(commit), path)]
    for (const candidate of candidates)
      if (await tryAdopt(context, target, candidate)) {
        context.debug(`Adopted ${targetLabel(target)} from ${folder.hub}`)
        return true
      }
  }
  return false
}

/** Takes over a file that another cache, or another repo of this cache, has. True if its digest is the stated one. */
export async function tryAdopt(context: CacheContext, target: BlobTarget, candidate: string): Promise<boolean> {
  try {
    if (stampOf(candidate)?.size !== target.stated.size) return false
    return await takeVerified(context, target, await realpath(candidate), linkOrCopy)
  } catch (error) {
    if (target.signal?.aborted) throw error
    // The file is not readable, or was removed meanwhile. The caller downloads it.
    context.debug(`${targetLabel(target)} could not be adopted: ${messageOf(error)}`)
    return false
  }
}

/** Replaces a blob of the cache by a copy, so that nobody can change it by another name. True when the copy has the stated digest. */
export async function copyBlob(context: CacheContext, target: BlobTarget, blob: string): Promise<boolean> {
  return takeVerified(context, target, blob, copy)
}

/**
 * Links or copies a file to a name of our own, verifies it there, and makes it the blob. The file behind the old name could be
 * replaced meanwhile.
 */
async function takeVerified(
  { layout }: CacheContext,
  { model, stated, signal }: BlobTarget,
  from: string,
  take: (from: string, to: string) => Promise<void>,
): Promise<boolean> {
  await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
  const own = uniqueBeside(join(layout.incoming, 'adopted'), 'incomplete')
  try {
    await take(from, own)
    if (!(await matchesDigest(own, stated.digest, stated.size, signal))) return false
    await moveInto(own, layout.blob(model.repo, stated.digest))
    return true
  } finally {
    removeUnique(own)
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
    // Looks at the new name: the file behind the old name may have been replaced meanwhile.
    if (isWritableOnlyByUs(await lstat(to, { bigint: true }))) return
  } catch {
    // The file is on another device or has another owner, or its file system has no hard links.
  }
  removeUnique(to)
  await copy(from, to)
}

async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  await chmod(to, 0o444)
}
