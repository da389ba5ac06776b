import { relative } from 'node:path'
import type { QueuedTest, RunResults } from '../types.ts'
import { currentRun } from './session.ts'

/**
 * The results of a run without the time in which test files waited for models. Jest keeps how long each file took: the next run begins with
 * the longest, and short ones run in the main process.
 */
export function withoutWaits<Results extends RunResults>(tests: QueuedTest[], results: Results): Results {
  const { projects } = currentRun()?.session ?? {}
  const queued = new Map(tests.map((test) => [test.path, test]))
  const waitedMs = (path: string, from: number) => {
    const { root, prefetch } = projects?.get(queued.get(path)?.context.config.id) ?? {}
    return root === undefined ? 0 : (prefetch?.waitedMs(relative(root, path), from) ?? 0)
  }
  const testResults = results.testResults.map((result) => {
    const { start, runtime } = result.perfStats
    // A test file that could not be run has no times.
    const ms = start > 0 ? waitedMs(result.testFilePath, start) : 0
    return ms > 0 ? { ...result, perfStats: { ...result.perfStats, runtime: Math.max(1, runtime - ms) } } : result
  })
  return { ...results, testResults }
}
