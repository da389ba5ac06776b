import { type Entry, entryKey } from '../model/entry.ts'
import type { HubPath } from '../model/hub-path.ts'
import { modelLabel } from '../model/model.ts'
import type { CacheContext } from './context.ts'
import { Intake } from './intake.ts'
import { recordEntry } from './record-entry.ts'
import { hubAccess, treeAt } from './resolve.ts'
import { withRepoLock } from './store/aside.ts'

/** Brings files of an entry in anew, where they are not what the Hub stated. Throws as a download does. */
export async function repairFiles(
  context: CacheContext,
  { repo, commit }: Entry,
  paths: HubPath[],
  signal?: AbortSignal,
): Promise<void> {
  const metadata = await context.metadata()
  const work = async () => {
    const entry = await metadata.find(entryKey({ repo, commit }))
    // Removed in between: then there is nothing to repair.
    if (!entry) return
    const model = { repo, revision: entry.revision, selection: {}, pin: entry.pinned }
    const tree = await treeAt(context, { repo, commit, asked: `Model ${modelLabel(entry)}`, signal })
    const resolved = { repo, commit, tree, fresh: undefined }
    const intake = new Intake(context, model, resolved, entry, await hubAccess(context), { signal })
    await intake.ensure(paths)
    // Nobody asked for the model: it is as old as before.
    await recordEntry(context, { ...intake.record([]), lastAccessDate: entry.lastAccessDate }, intake.fresh)
  }
  await withRepoLock(context.layout, repo, work, signal)
}
