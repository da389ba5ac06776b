import type { Amount } from '../cache/store/downloads/leftovers.ts'
import type { Optimized } from '../cache/upkeep/optimize.ts'
import { formatSize } from '../config/units.ts'
import { count } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { entryJson, printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { atCommit } from './show/text.ts'

/** Frees space without removing anything that is still wanted. It does not ask: each run of tests does most of it too. */
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

/** Only the steps that freed or changed something have a line. */
function print(steps: Optimized, dryRun: boolean): void {
  const { leftovers, expired, evicted, orphans, linked, bookkeeping, code, packs, freedBytes } = steps
  const removed = dryRun ? 'Would remove' : 'Removed'
  const lines = [
    ...expired.entries.map((entry) => `${removed} ${atCommit(entry)}: not used for longer than \`maxAge\``),
    ...evicted.entries.map((entry) => `${removed} ${atCommit(entry)}: the cache was larger than \`maxSize\``),
    ...amountLine(leftovers, (files) => `${removed} ${files} of unfinished downloads`),
    ...amountLine(orphans, (files) => `${removed} ${files} that no model refers to`),
    ...amountLine(linked, (files) => `${dryRun ? 'Would store' : 'Stored'} ${files} once that several models have`),
    ...amountLine(bookkeeping, (records) => `${removed} ${records} of models that are gone`, 'record'),
    ...amountLine(code, (files) => `${removed} ${files} of compiled code`),
    ...amountLine(packs, (files) => `${removed} ${files} of packed models that are gone`),
  ]
  for (const line of lines) printLines(line)
  if (lines.length === 0) printLines('There is nothing to free.')
  else printLines(`${dryRun ? 'Would free' : 'Freed'} ${formatSize(freedBytes)}`)
}

/** Empty where there was nothing to do. */
function amountLine({ files, bytes }: Amount, text: (counted: string) => string, what = 'file'): string[] {
  return files === 0 && bytes === 0 ? [] : [`${text(count(files, what))}: ${formatSize(bytes)}`]
}
