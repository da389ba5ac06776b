import { parseHubPath } from '../model/hub-path.ts'
import type { RequestEvent } from '../model/request.ts'
import { isoNow } from '../platform/originals.ts'
import type { CacheContext } from './context.ts'

/**
 * Folds what a run's workers asked for into the metadata, in one write: last access, hits, and which selections were
 * used. Only the main process does this; a worker never writes for a hit.
 */
export async function recordUses(context: CacheContext, requests: RequestEvent[]): Promise<void> {
  if (requests.length === 0) return
  const now = isoNow()
  const metadata = await context.metadata()
  await metadata.update((entries) => {
    for (const { repo, commit, revision, selection, files, tier } of requests) {
      const entry = entries.get(`${repo}@${commit}`)
      if (!entry) continue
      entry.lastAccessDate = now
      entry.revision = revision
      if (tier !== 'hub') entry.hits++
      const known = entry.selections.find(({ key }) => key === selection)
      if (known) known.used = true
      else entry.selections.push({ key: selection, files: files.map(([path]) => parseHubPath(path, repo)), used: true })
    }
  })
}
