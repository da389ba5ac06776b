import { formatDuration } from '../config/units.ts'
import { sum } from './distribution.ts'
import type { ModelReport, Report, Sharing } from './types.ts'
import { count, labelOf } from './words.ts'

// Less than a second is not worth advice. A step that takes less than half of the time is not either: most of the time would remain.
const WORTH_A_LINE_MS = 1_000
const WORTH_A_SHARE = 0.5
const RESTORED = 'models came from the remote. A cache folder that is kept between runs has them already'

/**
 * Advice about the slowest step of a warm run. Undefined if that is not worth a line, or if a model was downloaded or failed: then
 * the times say nothing about the next run.
 */
export function slowStep({ misses, errors, times, warmUpMs, models }: Report): string | undefined {
  if (misses > 0 || errors.length > 0) return undefined
  // The warm-up and the lookups of such a run waited for the answers of the Hub.
  const restored = times.restore ? RESTORED : undefined
  const steps: [name: string, ms: number, advice: string | undefined][] = [
    ['loading', times.load?.total ?? 0, adviceOnLoading(models)],
    ['warm-up', warmUpMs ?? 0, restored ?? 'it asked the Hub or verified files again. MODEL_CACHE_DEBUG=1 shows which'],
    ['looking up', times.lookup?.total ?? 0, restored ?? 'files were verified again. MODEL_CACHE_DEBUG=1 shows which'],
    ['restoring', times.restore?.total ?? 0, restored],
  ]
  const total = sum(steps.map(([, ms]) => ms))
  const [name, ms, advice] = steps.sort(([, a], [, b]) => b - a)[0] ?? ['', 0, undefined]
  if (total < WORTH_A_LINE_MS || ms < total * WORTH_A_SHARE || advice === undefined) return undefined
  // The times of processes that work at the same time are added up.
  const ofAll = models.some(({ loads, testFiles }) => loads > 1 && testFiles.length > 1) ? ', all workers together' : ''
  return `${name} took ${formatDuration(ms)} of ${formatDuration(total)}${ofAll}: ${advice}`
}

/** Advice about the model whose loads took longest together. */
function adviceOnLoading(models: ModelReport[]): string | undefined {
  const [slowest] = [...models].sort((a, b) => b.loadMsTotal - a.loadMsTotal)
  if (!slowest) return undefined
  const { loads, testFiles, sharing } = slowest
  if (loads < 2) return `a smaller dtype of ${labelOf(slowest)} loads faster`
  const where = testFiles.length < 2 ? 'one test file' : count(testFiles.length, 'test file')
  const advice = sharing ? adviceOnSharing(sharing) : 'A smaller dtype loads faster'
  return `${labelOf(slowest)} was loaded ${loads} times in ${where}. ${advice}`
}

/** What to do, and the load time that it spares by the times of this run. */
function adviceOnSharing({ by, workers, ms }: Sharing): string {
  const shared = `the test files${workers > 1 ? ` of each of ${workers} workers` : ''} share it`
  const way = {
    isolate: `With \`isolate: false\`, ${shared}`,
    'isolate-module': `With \`isolate: false\` and a module that holds it, ${shared}`,
    module: `With a module that holds it, ${shared}`,
    models: `Loaded by \`models\`, ${shared}`,
    file: 'If each test file loads it once and keeps it',
    options: 'If it is kept and asked for with the same options',
  }[by]
  return `${way}: about ${formatDuration(ms)} of loading less`
}
