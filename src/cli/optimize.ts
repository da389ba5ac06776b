import type { Optimized } from '../cache/upkeep/optimize.ts'
import { formatSize } from '../config/units.ts'
import { count } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { paint } from './show/style.ts'
import { atCommit } from './show/text.ts'

/** Frees what can be freed without losing anything that is wanted. Nobody is asked: each run does most of it too. */
export async function optimize(options: GlobalOptions & { dryRun?: boolean }): Promise<number> {
  const { cache } = await openCache(options, { needsWriting: options.dryRun !== true })
  const { dryRun } = options
  const steps = await cache.optimize({ dryRun, signal: interrupted })
  if (options.json) printJson({ dryRun: dryRun ?? false, ...stepsJson(steps) })
  else print(steps, dryRun ?? false)
  return 0
}

function stepsJson({ expired, evicted, modelBytes, ...amounts }: Optimized): object {
  const models = { expired: expired.entries.map(entryJson), evicted: evicted.entries.map(entryJson) }
  return { ...models, modelBytes, ...amounts }
}

function print(steps: Optimized, dryRun: boolean): void {
  const { leftovers, expired, evicted, modelBytes, orphans, linked, bookkeeping, freedBytes } = steps
  const models = [...expired.entries, ...evicted.entries]
  const lines: [string, string, number][] = [
    ['leftovers', `${count(leftovers.files, 'file')} of downloads and writes that broke off`, leftovers.bytes],
    [
      'limits',
      `${count(expired.entries.length, 'expired model')}, ${count(evicted.entries.length, 'model')} over the limit`,
      modelBytes,
    ],
    ['orphans', `${count(orphans.files, 'blob')} that nothing stands for`, orphans.bytes],
    ['shared', `${count(linked.files, 'blob')} linked to the same of another model`, linked.bytes],
    ['records', `${count(bookkeeping.files, 'record')} of what is gone`, bookkeeping.bytes],
  ]
  for (const entry of models) printLines(`${dryRun ? 'Would remove' : 'Removed'} ${atCommit(entry)}`)
  for (const [name, text, bytes] of lines)
    printLines(`${paint('dim', name.padEnd(9))} ${formatSize(bytes).padStart(8)}  ${text}`)
  printLines(`${dryRun ? 'Would free' : 'Freed'} ${formatSize(freedBytes)}`)
}
