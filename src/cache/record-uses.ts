import { type Entry, entryKey } from '../model/entry.ts'
import { parseHubPath } from '../model/hub-path.ts'
import type { RequestEvent } from '../model/request.ts'
import { isoNow } from '../platform/originals.ts'
import type { CacheContext } from './context.ts'
import { shareByTheClock } from './downloads-at-once.ts'
import { stampOf } from './store/blobs.ts'

/**
 * Folds what a run's workers asked for into the metadata, in one write: last access, hits, and which selections were
 * used. Only the main process does this; a worker never writes for a hit.
 */
export async function recordUses(context: CacheContext, requests: RequestEvent[]): Promise<void> {
  if (requests.length === 0) return
  const now = isoNow()
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  const keys = new Set(requests.map(({ repo, commit }) => `${repo}@${commit}`))
  const listed = listedEntries(
    context,
    [...keys].flatMap((key) => recorded.get(key) ?? []),
  )
  const share = shareByTheClock(requests)
  await metadata.update((entries) => {
    for (const { repo, commit, revision, selection, files, tier, downloadMs } of requests) {
      const entry = entries.get(`${repo}@${commit}`)
      if (!entry) continue
      entry.lastAccessDate = now
      entry.revision = revision
      if (tier !== 'hub') entry.hits++
      if (downloadMs !== null && share < 1) shareOut(entry, files, share)
      const known = entry.selections.find(({ key }) => key === selection)
      if (known) known.used = true
      else if (listed.has(entryKey(entry)))
        entry.selections.push({ key: selection, files: files.map(([path]) => parseHubPath(path, repo)), used: true })
    }
  })
}

function shareOut({ files }: Entry, served: RequestEvent['files'], share: number): void {
  for (const [path] of served) {
    const file = files.get(parseHubPath(path, 'a request'))
    if (file?.downloadMs) file.downloadMs *= share
  }
}

/** Those of which the Hub's listing is there. What was served without it may be a part of what was asked for. */
function listedEntries({ layout }: CacheContext, entries: Entry[]): Set<string> {
  return new Set(entries.filter(({ repo, commit }) => stampOf(layout.tree(repo, commit))).map(entryKey))
}
