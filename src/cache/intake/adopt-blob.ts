import { constants } from 'node:fs'
import { chmod, copyFile, link, lstat, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../model/errors.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { CacheContext } from '../context/context.ts'
import { moveInto } from '../store/atomic-write.ts'
import { isOursAlone, matchesDigest, stampOf } from '../store/blobs.ts'
import { uniqueBeside } from '../store/own-names.ts'
import { removeUnique } from '../store/remove-own.ts'
import { type FileTarget, targetLabel } from './file-target.ts'

/**
 * Takes a blob out of another Hugging Face cache. True when it was there and is what the Hub stated. That cache is only read: a hard
 * link adds a name to a file and changes nothing of it. A file that somebody else can write is copied: its owner could change what we
 * verified, and put its time back.
 */
export async function adoptBlob(context: CacheContext, target: FileTarget): Promise<boolean> {
  for (const folder of await context.otherCaches()) {
    const { model, commit, path, stated } = target
    // A cache on a file system without links has the file in the snapshot alone.
    const candidates = [folder.blob(model.repo, stated.digest), folder.file(model.repo, snapshotOf(commit), path)]
    for (const candidate of candidates)
      if (await tryAdopt(context, target, candidate)) {
        context.debug(`Adopted ${targetLabel(target)} from ${folder.hub}`)
        return true
      }
  }
  return false
}

async function tryAdopt(context: CacheContext, target: FileTarget, candidate: string): Promise<boolean> {
  try {
    if (stampOf(candidate)?.size !== target.stated.size) return false
    return await takeVerified(context, target, await realpath(candidate), linkOrCopy)
  } catch (error) {
    if (target.signal?.aborted) throw error
    // Not ours to read, or gone in between: then it is downloaded.
    context.debug(`${targetLabel(target)} could not be adopted: ${messageOf(error)}`)
    return false
  }
}

/** Puts a copy in the place of a blob of the cache, so that nobody can change it by another name. True when it is right. */
export async function copyBlob(context: CacheContext, target: FileTarget, blob: string): Promise<boolean> {
  return takeVerified(context, target, blob, copy)
}

/** Verified under our own name: the file behind the old name may be replaced in between. */
async function takeVerified(
  { layout }: CacheContext,
  { model, stated, signal }: FileTarget,
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
    // Of the file itself: its name may have been replaced since it was looked at.
    if (isOursAlone(await lstat(to, { bigint: true }))) return
  } catch {
    // Another device, another owner, or no hard links there.
  }
  removeUnique(to)
  await copy(from, to)
}

async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  await chmod(to, 0o444)
}
