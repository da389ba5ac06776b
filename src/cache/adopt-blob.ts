import { constants } from 'node:fs'
import { chmod, copyFile, link, mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../model/errors.ts'
import { snapshotOf } from '../model/snapshot.ts'
import type { CacheContext } from './context.ts'
import { type FileTarget, targetLabel } from './file-target.ts'
import { moveInto } from './store/atomic-write.ts'
import { matchesDigest, stampOf } from './store/blobs.ts'
import { uniqueBeside } from './store/own-names.ts'
import { removeUnique } from './store/remove-own.ts'

/**
 * Takes a blob out of another Hugging Face cache, by a hard link where that is possible, else by a copy. True when it was
 * there and is what the Hub stated. That cache is only read: a link adds a name to a file and changes nothing of it.
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
  const { digest, size } = target.stated
  const { layout } = context
  const blob = layout.blob(target.model.repo, digest)
  try {
    if (stampOf(candidate)?.size !== size) return false
    await mkdir(layout.incoming, { recursive: true, mode: 0o700 })
    const own = uniqueBeside(join(layout.incoming, 'adopted'), 'incomplete')
    try {
      // Verified under our own name: what its old name stands for may change in between.
      await linkOrCopy(await realpath(candidate), own)
      if (!(await matchesDigest(own, digest, size, target.signal))) return false
      await moveInto(own, blob)
      return true
    } finally {
      removeUnique(own)
    }
  } catch (error) {
    if (target.signal?.aborted) throw error
    // Not ours to read, or gone in between: then it is downloaded.
    context.debug(`${targetLabel(target)} could not be adopted: ${messageOf(error)}`)
    return false
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch {
    // Another device, another owner, or no hard links there.
    await copyFile(from, to, constants.COPYFILE_FICLONE)
    await chmod(to, 0o444)
  }
}
