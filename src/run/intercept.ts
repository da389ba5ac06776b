import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import process from 'node:process'
import type { Bridge } from '../intercept/bridge.ts'
import type { ChildSettings } from '../intercept/child.ts'
import { foreignResponse } from '../platform/originals.ts'
import { manifestFile } from './child-events.ts'
import { PRELOAD, type Preload } from './preload.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Has untouched code use the cache, for one test file: its own code, and the processes that it starts. */
export function intercept(
  preload: Preload,
  provided: WorkerSettings,
  testFile: string,
  open: () => Promise<Bridge>,
): void {
  const { intercept: bases, cache, run, events, hub, debug } = provided
  preload.installBridge(bases, open)
  if (bases.length === 0) return
  // Before user code: the window of happy-dom has a class of its own, by which transformers.js 3 knows what to keep.
  preload.wrapFetch(globalThis, foreignResponse())
  const child: ChildSettings = {
    ...{ run, cache, bases, testFile, debug },
    manifest: manifestFile(events),
    events: join(events, randomBytes(6).toString('hex')),
  }
  process.env.VITEST_MODEL_CACHE_CHILD = JSON.stringify(child)
  process.env.NODE_OPTIONS = withPreload(process.env.NODE_OPTIONS)
  // For other languages, which read and write the same layout. A place that the user named stays.
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME } = process.env
  if (hub && !HF_HUB_CACHE && !HUGGINGFACE_HUB_CACHE && !HF_HOME) process.env.HF_HUB_CACHE = hub
}

/** The user's own options stay in force. Quoted as Node.js reads them: the path may hold spaces. */
function withPreload(options = ''): string {
  const own = `--require=${JSON.stringify(PRELOAD)}`
  return options.includes(own) ? options : `${options} ${own}`.trim()
}
