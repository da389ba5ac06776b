import { Rate } from '../cache/intake/rate.ts'
import type { Problem, Verification } from '../cache/verify.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { originals } from '../platform/originals.ts'
import { count, labelOf } from '../report/words.ts'
import { interrupted } from './interruption.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'
import { printJson } from './show/json.ts'
import { printLines } from './show/print.ts'
import { openProgress } from './show/progress.ts'
import { paint } from './show/style.ts'

/** Recomputes digests. 1 when something is wrong that was not repaired. */
export async function verify(names: string[], options: GlobalOptions & { repair?: boolean }): Promise<number> {
  const { cache } = await openCache(options, { needsOptions: options.repair === true })
  const entries = names.length > 0 ? await cache.find(...names) : await cache.list()
  const started = originals.monotonic()
  const progress = await openProgress()
  const rate = new Rate()
  let seen = 0
  let found: Verification
  try {
    found = await cache.verify(entries, {
      repair: options.repair,
      signal: interrupted,
      onProgress: ({ bytes, totalBytes }) => {
        rate.saw(bytes - seen)
        seen = bytes
        progress.show({
          model: count(entries.length, 'model'),
          receivedBytes: bytes,
          totalBytes,
          elapsedMs: originals.monotonic() - started,
          bytesPerSecond: rate.bytesPerSecond,
        })
      },
    })
  } finally {
    progress.end()
  }
  const ms = originals.monotonic() - started
  if (options.json) {
    const { entries, ...rest } = found
    printJson({ models: entries, ...rest, ms: Math.round(ms) })
  } else print(found, ms, options.repair === true, cache.context.origin.endpoint)
  return found.problems.every(({ isRepaired }) => isRepaired) ? 0 : 1
}

function print(
  { entries, files, bytes, problems }: Verification,
  ms: number,
  isRepairing: boolean,
  configured: string,
): void {
  for (const problem of problems) printLines(problemLine(problem, configured))
  const rate = ms > 0 ? ` (${formatSize((bytes / ms) * 1000)}/s)` : ''
  const seen = `${count(entries, 'model')}, ${count(files, 'file')}, ${formatSize(bytes)} in ${formatDuration(ms)}${rate}`
  if (problems.length === 0) printLines(`${paint('green', '✓')} ${seen}: all as the Hub stated`)
  if (problems.length === 0) return
  const open = problems.filter(({ isRepaired }) => !isRepaired).length
  printLines(
    `${seen}: ${count(problems.length, 'file')} wrong${open < problems.length ? `, ${problems.length - open} repaired` : ''}`,
  )
  if (open > 0 && !isRepairing)
    printLines(
      'A wrong file is not served. It is downloaded again when it is next asked for; `--repair` does that now.',
    )
}

function problemLine(problem: Problem, configured: string): string {
  const { path, what, isRepaired, error, endpoint } = problem
  const from = endpoint === null || endpoint === configured ? '' : ` (from ${endpoint})`
  const mark = isRepaired ? paint('yellow', '!') : paint('red', '✗')
  const after = isRepaired ? ', repaired' : error === undefined ? '' : `, not repaired: ${error}`
  return `${mark} ${labelOf(problem)}  ${path}: ${what}${from}${after}`
}
