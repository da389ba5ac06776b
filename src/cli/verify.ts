import type { ModelCache } from '../cache/model-cache.ts'
import { isWritable } from '../cache/store/cache-folder.ts'
import type { Problem, Verification } from '../cache/verify.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { originals } from '../platform/originals.ts'
import { count, labelOf } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { openBytesProgress } from './show/progress.ts'
import { paint } from './show/style.ts'

/** Recomputes the digests of all files, or of some models. The exit code is 1 when a wrong file was not repaired. */
export async function verify(names: string[], options: GlobalOptions & { repair?: boolean }): Promise<number> {
  const { cache } = await openCache(options, {
    needsOptions: options.repair === true,
    needsWriting: options.repair === true,
  })
  const entries = names.length > 0 ? await cache.find(...names) : await cache.list()
  const started = originals.monotonic()
  const progress = await openBytesProgress('verifying', count(entries.length, 'model'))
  let found: Verification
  try {
    found = await cache.verify(entries, { repair: options.repair, signal: interrupted, onProgress: progress.show })
  } finally {
    progress.end()
  }
  const ms = originals.monotonic() - started
  if (options.json) {
    const { entries, ...rest } = found
    printJson({ models: entries, ...rest, ms: Math.round(ms) })
  } else print(found, { ms, isRepairing: options.repair === true, cache })
  return found.problems.every(({ isRepaired }) => isRepaired) ? 0 : 1
}

interface Shown {
  ms: number
  isRepairing: boolean
  cache: ModelCache
}

function print({ entries, files, bytes, problems }: Verification, { ms, isRepairing, cache }: Shown): void {
  const { layout, origin } = cache.context
  if (entries === 0) {
    printLines(`There is no model to verify in ${layout.directory}.`)
    return
  }
  for (const problem of problems) printLines(problemLine(problem, origin.endpoint))
  const rate = ms > 0 ? `, ${formatSize((bytes / ms) * 1000)}/s` : ''
  const seen = `${count(entries, 'model')}, ${formatSize(bytes)}, in ${formatDuration(ms)}${rate}`
  if (problems.length === 0) {
    printLines(`${paint('green', '✓')} ${count(files, 'file')} verified: each is what the Hub stated (${seen})`)
    return
  }
  const repaired = problems.filter(({ isRepaired }) => isRepaired).length
  const left = repaired > 0 ? `, and ${repaired} repaired` : ''
  printLines(`${problems.length} of ${count(files, 'file')} ${isOrAre(problems.length)} wrong${left} (${seen})`)
  if (repaired < problems.length && !isRepairing) printLines(adviceOf(cache))
}

function isOrAre(number: number): string {
  return number === 1 ? 'is' : 'are'
}

function adviceOf({ context }: ModelCache): string {
  const first = 'No wrong file is served.'
  return isWritable(context.layout)
    ? `${first} A wrong file is downloaded again when it is next needed, or now by \`verify --repair\`.`
    : `${first} This cache folder is read-only, so it can't be repaired here.`
}

function problemLine(problem: Problem, configured: string): string {
  const { path, what, isRepaired, error, endpoint } = problem
  const from = endpoint === null || endpoint === configured ? '' : ` (from ${endpoint})`
  const mark = isRepaired ? paint('yellow', '!') : paint('red', '✗')
  const after = isRepaired ? ', repaired' : error === undefined ? '' : `, not repaired: ${error}`
  return `${mark} ${labelOf(problem)}  ${path}: ${what}${from}${after}`
}
