import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { atCommit } from './show/text.ts'

/** Pins or unpins models. A pinned model neither expires nor is evicted. */
export async function pin(names: string[], pinned: boolean, options: GlobalOptions): Promise<number> {
  const { cache } = await openCache(options, { needsOptions: false, needsWriting: true })
  const entries = await cache.find(...names)
  const changed = await cache.pin(entries, pinned)
  if (options.json) {
    printJson({ pinned, changed: changed.map(entryJson) })
    return 0
  }
  const isNew = new Set(changed.map(atCommit))
  const verb = pinned ? 'pinned' : 'not pinned'
  for (const entry of entries)
    printLines(
      isNew.has(atCommit(entry)) ? `${atCommit(entry)} is ${verb} now` : `${atCommit(entry)} was already ${verb}`,
    )
  return 0
}
