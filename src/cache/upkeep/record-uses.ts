import type { Entry } from '../../model/entry.ts'
import { parseHubPath } from '../../model/hub-path.ts'
import type { RequestEvent } from '../../model/request.ts'
import { isCommit } from '../../model/revision.ts'
import { snapshotsOf } from '../../model/snapshot.ts'
import { isoNow } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { lockedTree } from '../lookup/locked.ts'
import { stampOf } from '../store/blobs.ts'
import type { Entries } from '../store/entries/metadata.ts'
import { isOnnxFile, SMALLEST_GAIN_BYTES, skeletonOf } from '../store/skeletons/skeleton-file.ts'
import { shareByTheClock } from './downloads-at-once.ts'

/**
 * Records the requests of a run in the metadata, in one write: last access, hits, and the selections that were used. Only the
 * main process does this. A worker never writes for a hit.
 */
export async function recordUses(context: CacheContext, requests: RequestEvent[]): Promise<void> {
  const now = isoNow()
  const metadata = await context.metadata()
  const share = shareByTheClock(requests)
  const foldIn = (entries: Entries) => {
    const used = new Set<Entry>()
    for (const request of requests) {
      const { repo, revision, selection, files, tier, downloadMs } = request
      const entry = entryOf(context, entries, request)
      if (!entry) continue
      used.add(entry)
      entry.lastAccessDate = now
      entry.revision = revision
      if (tier !== 'hub') entry.hits++
      if (downloadMs !== null && share < 1) shareOut(entry, files, share)
      const known = entry.selections.find(({ key }) => key === selection)
      if (known) known.used = true
      else if (isListed(context, entry))
        entry.selections.push({ key: selection, files: files.map(([path]) => parseHubPath(path, repo)), used: true })
    }
    for (const entry of used) noteSkeletons(context, entry)
  }
  // A warm run does not wait for the disk. A loss of power may undo these dates and hits, which is a small loss.
  await metadata.update(foldIn, { isLasting: false })
}

/** Notes the skeletons that were made since the entry was recorded, so that they count to the size of the cache. */
function noteSkeletons({ layout }: CacheContext, { repo, files }: Entry): void {
  for (const [path, file] of files) {
    if (file.skeletonBytes !== undefined || file.size < SMALLEST_GAIN_BYTES || !isOnnxFile(path)) continue
    const skeleton = stampOf(skeletonOf(layout.blob(repo, file.digest)))
    if (skeleton) file.skeletonBytes = skeleton.size
  }
}

function shareOut({ files }: Entry, served: RequestEvent['files'], share: number): void {
  for (const [path] of served) {
    const file = files.get(parseHubPath(path, 'a request'))
    if (file?.downloadMs) file.downloadMs *= share
  }
}

/** The entry that served a request: the one of our endpoint, else the one of unknown origin. */
function entryOf(
  { origin }: CacheContext,
  entries: ReadonlyMap<string, Entry>,
  { repo, commit }: RequestEvent,
): Entry | undefined {
  if (!isCommit(commit)) return undefined
  const ofOrigin = (endpoint: string | undefined) => {
    const found = snapshotsOf(commit, endpoint).map((snapshot) => entries.get(`${repo}@${snapshot}`))
    return found.find((entry) => entry?.commit === commit && entry.endpoint === endpoint)
  }
  return ofOrigin(origin.endpoint) ?? ofOrigin(undefined)
}

/** True for an entry whose listing is stored or locked. Without a listing, a selection may lack files, and is not recorded. */
function isListed(context: CacheContext, { repo, commit }: Entry): boolean {
  const { layout, origin } = context
  if (lockedTree(context, { repo, commit })) return true
  return [origin, layout].some((folder) => stampOf(folder.tree(repo, commit)))
}
