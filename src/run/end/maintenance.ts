// The process that goes on with the maintenance of a cache after a run. It says nothing, and its end is never a failure: a kill at any
// instant loses nothing, and the next run goes on.
import process from 'node:process'
import { CacheContext } from '../../cache/context/context.ts'
import { maintainInBackground } from '../../cache/upkeep/maintenance/maintain-in-background.ts'
import { originals } from '../../platform/originals.ts'
import { type MaintenanceTask, TASK_VARIABLE } from './leave-maintenance.ts'
import { lowerPriority } from './lower-priority.ts'

const MOST_MS = 60_000
// What can't be stopped at once is given up.
const GRACE_MS = 100

const end = () => process.exit(0)

try {
  // Again: threads of Node.js may have begun before the first time.
  lowerPriority(process.pid)
  originals.setTimeout(end, MOST_MS)
  const controller = new originals.AbortController()
  // A session that watches ends it in this way.
  process.once('SIGTERM', () => controller.abort())
  const { cache, run, isOver }: MaintenanceTask = JSON.parse(process.env[TASK_VARIABLE] ?? '')
  const onStop = (isAtOnce: boolean) => (isAtOnce ? end() : originals.setTimeout(end, GRACE_MS))
  const context = new CacheContext({ ...cache, hub: { ...cache.hub, concurrency: 1 } })
  await maintainInBackground(context, { run, isOver, signal: controller.signal, onStop })
} catch {
  // The cache folder is gone, or its disk is full.
} finally {
  end()
}
