import { lstat, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { blobNameOf } from '../model/digest.ts'
import type { Entry } from '../model/entry.ts'
import type { RepoId } from '../model/repo-id.ts'
import { originals } from '../platform/originals.ts'
import type { CacheContext } from './context.ts'
import { type Amount, addTo } from './store/leftovers.ts'
import { withFreeLock } from './store/lock.ts'
import { isBlobName } from './store/own-names.ts'
import { mayRemove, removeFile } from './store/remove-own.ts'
import { entriesIn, filesBelow, repoFolders } from './store/snapshot-files.ts'

// A blob stands alone for a moment while its model is brought in, here or by another tool.
const ALONE_FOR_MS = 24 * 3_600_000

export interface OrphanOptions {
  /** Milliseconds that a blob has to have been alone. Default: a day. */
  aloneForMs?: number
  /** Only says what would go. */
  dryRun?: boolean
  signal?: AbortSignal
}

/**
 * Removes blobs that no record and no snapshot stands for, as a kill in the middle of a removal or of a download leaves
 * them, once they are a day old. Repos that somebody works on are left for the next time.
 */
export async function removeOrphans(
  context: CacheContext,
  entries: Entry[],
  options: OrphanOptions = {},
): Promise<Amount> {
  const { layout } = context
  const recorded = new Set(
    entries.flatMap(({ repo, files }) => [...files.values()].map(({ digest }) => `${repo} ${blobNameOf(digest)}`)),
  )
  const removed = { files: 0, bytes: 0 }
  for await (const repo of repoFolders(layout.hub)) {
    options.signal?.throwIfAborted()
    const folder = join(layout.repo(repo), 'blobs')
    const names = entriesIn(folder).flatMap((entry) => (entry.isFile() && isBlobName(entry.name) ? [entry.name] : []))
    const unknown = names.filter((name) => !recorded.has(`${repo} ${name}`))
    if (unknown.length === 0 || !mayRemove(layout, join(folder, 'file'))) continue
    const alone = await withFreeLock(layout.lock(repo), () => removeAlone(context, repo, unknown, options))
    for (const bytes of alone ?? []) addTo(removed, bytes)
  }
  return removed
}

/** Gives the bytes of each. */
async function removeAlone(
  context: CacheContext,
  repo: RepoId,
  names: string[],
  { aloneForMs = ALONE_FOR_MS, dryRun }: OrphanOptions,
): Promise<number[]> {
  const folder = join(context.layout.repo(repo), 'blobs')
  const snapshots = join(context.layout.repo(repo), 'snapshots')
  const files = await filesBelow(snapshots)
  const targets = await Promise.all(files.map((path) => realpath(join(snapshots, path)).catch(() => undefined)))
  const linked = new Set(targets)
  const real = await realpath(folder)
  const removed: number[] = []
  for (const name of names) {
    const { ctimeMs, size, nlink } = await lstat(join(folder, name))
    if (linked.has(join(real, name)) || originals.now() - ctimeMs < aloneForMs) continue
    removed.push(nlink > 1 ? 0 : size)
    if (dryRun) continue
    context.debug(`🗑️ Removed what nothing refers to: ${join(folder, name)}`)
    removeFile(context.layout, join(folder, name))
  }
  return removed
}
