import { relative } from 'node:path'
import type { Session } from '../../run/session.ts'
import { readyFirst } from '../../run/start/prefetch/ready-first.ts'
import type { QueuedTests } from './queued-files.ts'

/**
 * Has the run begin with the test files that wait for no model, then run those whose models are expected first. An order of the user's own
 * sequencer stays. Jest sorts the tests before the global setup, and begins with this array after it (29.7 and 30).
 */
export function runReadyFirst({ projects }: Session, { tests, isOrderOfUser }: QueuedTests): void {
  if (isOrderOfUser || ![...projects.values()].some(({ prefetch }) => prefetch)) return
  const sorted = readyFirst(tests, ({ path, context }) => {
    const { root, prefetch } = projects.get(context.config.id) ?? {}
    return root === undefined ? 0 : (prefetch?.rankOf(relative(root, path)) ?? 0)
  })
  for (const [index, test] of sorted.entries()) tests[index] = test
}
