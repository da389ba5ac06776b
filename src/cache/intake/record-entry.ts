import { existsSync } from 'node:fs'
import { type Entry, entryKey } from '../../model/entry.ts'
import type { HubPath } from '../../model/hub-path.ts'
import type { CacheContext } from '../context/context.ts'
import { syncNames } from '../store/durable.ts'
import type { Layout } from '../store/layout.ts'

/**
 * Records the files of a model that are cached now, and keeps what was recorded before. The bytes of the `fresh` files must be
 * synced to the disk already. Their names are synced here, before the record is written.
 */
export async function recordEntry(context: CacheContext, recorded: Entry, fresh: HubPath[]): Promise<void> {
  await syncNames(context.layout, recorded, fresh)
  const metadata = await context.metadata()
  const key = entryKey(recorded)
  let now = recorded
  await metadata.update((entries) => {
    const before = entries.get(key)
    now = before ? mergeEntries(before, recorded) : recorded
    entries.set(key, now)
  })
  if (existsSync(context.layout.packedModels)) await noteRestored(context.layout, now)
}

/** From then on, the pack files need not keep what was restored. */
async function noteRestored(layout: Layout, entry: Entry): Promise<void> {
  const [{ isListedAsPacked }, { listPacked }] = await Promise.all([
    import('../store/packs/packed-models.ts'),
    import('../store/entries/list-packed.ts'),
  ])
  if (isListedAsPacked(layout, entry)) await listPacked(layout, entry, true)
}

/**
 * The values of `now`. The date of the download, the hits and the pin of `before` are kept, and so are its files and selections
 * that `now` lacks: another process may have recorded them meanwhile.
 */
function mergeEntries(before: Entry, now: Entry): Entry {
  const keys = new Set(now.selections.map(({ key }) => key))
  const wasUsed = new Set(before.selections.filter(({ used }) => used).map(({ key }) => key))
  return {
    ...now,
    cachedDate: before.cachedDate,
    hits: before.hits,
    pinned: before.pinned || now.pinned,
    selections: [
      ...before.selections.filter(({ key }) => !keys.has(key)),
      ...now.selections.map(({ used, ...selection }) => ({ ...selection, used: used || wasUsed.has(selection.key) })),
    ],
    files: new Map([...before.files, ...now.files]),
  }
}
