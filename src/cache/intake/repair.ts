import { type Entry, entryKey } from '../../model/entry.ts'
import { ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { CacheContext } from '../context/context.ts'
import { withRepoLock } from '../store/removal/aside.ts'
import { Intake } from './intake.ts'
import { recordEntry } from './record-entry.ts'
import { hubAccess, treeAt } from './resolve.ts'
import { settleSnapshot } from './settle-snapshot.ts'

/**
 * Downloads files of an entry again, because they differ from what its endpoint stated. Throws as a download does, and throws
 * `HUB_ERROR` for an entry of another endpoint: the configured endpoint must not learn the names of another endpoint's repos.
 */
export async function repairFiles(
  context: CacheContext,
  { repo, commit, snapshot, endpoint }: Entry,
  paths: HubPath[],
  signal?: AbortSignal,
): Promise<void> {
  const metadata = await context.metadata()
  if (endpoint !== undefined && endpoint !== context.origin.endpoint) throw ofAnother(context, { repo, endpoint })
  const work = async () => {
    const entry = await metadata.find(entryKey({ repo, snapshot }))
    // The entry was removed meanwhile, so nothing is left to repair.
    if (!entry) return
    const model = { repo, revision: entry.revision, selection: {}, pin: entry.pinned }
    const tree = await treeAt(context, { repo, commit, asked: `Model ${modelLabel(entry)}`, signal })
    const answer = { repo, commit, tree, endpoint: context.origin.endpoint, info: entry }
    const place = await settleSnapshot(context, answer)
    if (place.snapshot !== snapshot) throw isUnstated(context, repo)
    const resolved = { ...answer, ...place }
    const intake = new Intake(context, model, resolved, await hubAccess(context), { signal })
    await intake.ensure(paths)
    // A repair is not a use, so the date of the last use stays.
    await recordEntry(context, { ...intake.record([]), lastAccessDate: entry.lastAccessDate }, await intake.synced())
  }
  await withRepoLock(context.layout, repo, work, signal)
}

function ofAnother({ origin }: CacheContext, { repo, endpoint }: { repo: RepoId; endpoint: string }): ModelCacheError {
  return new ModelCacheError({
    code: 'HUB_ERROR',
    asked: `Model ${repo}`,
    reason: `It was downloaded from ${endpoint}. The configured endpoint is ${origin.endpoint}, which is not asked for it.`,
    nextStep: `Repair it with HF_ENDPOINT=${endpoint}.`,
  })
}

function isUnstated({ origin }: CacheContext, repo: RepoId): ModelCacheError {
  return new ModelCacheError({
    code: 'DIGEST_MISMATCH',
    asked: `Model ${repo}`,
    reason: `It is not known where its files were downloaded from, and ${origin.endpoint} states other files.`,
    nextStep: 'Remove it (`npx vitest-model-cache rm`), and download it again.',
  })
}
