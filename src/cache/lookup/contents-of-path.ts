import type { Digest } from '../../model/digest.ts'
import { isPacked } from '../../model/entry.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { SMALLEST_MAPPED_FILE } from '../../model/remote-object.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { CacheContext } from '../context/context.ts'
import { isAsRecorded, ownStampOf } from '../store/blobs.ts'

/** A content that a file has at another commit. */
export interface OtherContent {
  digest: Digest
  /** Bytes. */
  size: number
  /** Where it is on disk, unchanged since it was verified. Undefined if it is packed, or was removed. */
  file: string | undefined
}

const MOST = 3

/** What the cache knows of a file at other commits of its repo: contents of some megabytes or more, the latest first. */
export async function contentsOfPath(
  context: CacheContext,
  { repo, path, digest }: { repo: RepoId; path: HubPath; digest: Digest },
): Promise<OtherContent[]> {
  const entries = [...(await (await context.metadata()).all()).values()].filter((entry) => entry.repo === repo)
  entries.sort((a, b) => (a.cachedDate < b.cachedDate ? 1 : -1))
  const found = new Map<Digest, OtherContent>()
  for (const { snapshot, files } of entries) {
    const known = files.get(path)
    if (!known || known.digest === digest || known.size < SMALLEST_MAPPED_FILE || found.has(known.digest)) continue
    const file = context.layout.file(repo, snapshot, path)
    const isThere = !isPacked(known) && isAsRecorded(ownStampOf(file), known)
    found.set(known.digest, { digest: known.digest, size: known.size, file: isThere ? file : undefined })
    if (found.size === MOST) break
  }
  return [...found.values()]
}
