import { formatDuration } from '../config/units.ts'
import { sum } from './distribution.ts'
import type { ModelReport, Report } from './types.ts'
import { count, labelOf } from './words.ts'

// Under a second nobody waits for models, and a step that is less than half of it leaves most of the time where it was.
const WORTH_A_LINE_MS = 1_000
const WORTH_A_SHARE = 0.5

/**
 * What to do about the slowest step of a warm run; undefined where that is not worth a line, or where something was
 * downloaded or failed: then the next run takes another time.
 */
export function slowStep({ misses, errors, times, warmUpMs, models }: Report): string | undefined {
  if (misses > 0 || errors.length > 0) return undefined
  const steps: [name: string, ms: number, advice: string | undefined][] = [
    ['loading', times.load?.total ?? 0, adviceOnLoading(models)],
    ['warm-up', warmUpMs ?? 0, 'it asked the Hub, or read files again to check them: MODEL_CACHE_DEBUG=1 says which'],
    ['looking up', times.lookup?.total ?? 0, 'files were read again to check them: MODEL_CACHE_DEBUG=1 says which'],
    ['restoring', times.restore?.total ?? 0, 'what is packed is unpacked first: pin what each run needs'],
  ]
  const total = sum(steps.map(([, ms]) => ms))
  const [name, ms, advice] = steps.sort(([, a], [, b]) => b - a)[0] ?? ['', 0, undefined]
  if (total < WORTH_A_LINE_MS || ms < total * WORTH_A_SHARE || advice === undefined) return undefined
  return `${name} took ${formatDuration(ms)} of ${formatDuration(total)}: ${advice}`
}

/** The model that was loaded longest is what there is to spare, if it was loaded more than once. */
function adviceOnLoading(models: ModelReport[]): string | undefined {
  const [slowest] = [...models].sort((a, b) => b.loadMsTotal - a.loadMsTotal)
  if (!slowest) return undefined
  const { loads, testFiles } = slowest
  if (loads < 2) return `a smaller dtype of ${labelOf(slowest)} loads faster`
  const times = `${labelOf(slowest)} was loaded ${loads} times`
  if (testFiles.length < 2) return `${times} in one file: with the same options each time it is loaded once`
  return `${times} in ${count(testFiles.length, 'file')}; with \`isolate: false\` files of a worker share it`
}
