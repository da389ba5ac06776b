import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import process from 'node:process'
import type { Bridge } from '../intercept/bridge.ts'
import type { ChildSettings } from '../intercept/child.ts'
import { foreignResponse } from '../platform/originals.ts'
import { manifestFile } from './manifest-file.ts'
import { PRELOAD, type Preload } from './preload.ts'
import type { WorkerSettings } from './worker-settings.ts'

interface Interception {
  preload: Preload
  settings: WorkerSettings
  /** The absolute path of the test file. */
  testFile: string
  global: typeof globalThis
  /** Loads what answers requests. Called with the first request. */
  open: () => Promise<Bridge>
}

/** Lets the untouched code of one test file use the cache: code in this worker, and the child processes that it starts. */
export function intercept({ preload, settings, testFile, global, open }: Interception): void {
  const { intercept: bases, cache, run, events, hub, debug } = settings
  preload.installBridge(bases, open)
  if (bases.length === 0) return
  // The window of happy-dom has a `Response` class of its own. transformers.js 3 decides by that class what it stores, so answers
  // have to be of it.
  preload.wrapFetch(global, foreignResponse(global))
  const child: ChildSettings = {
    ...{ run, cache, bases, testFile, debug },
    manifest: manifestFile(events),
    events: join(events, randomBytes(6).toString('hex')),
  }
  reachChildren(child)
  // For programs in other languages, which use the same layout. A folder that the user chose stays.
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME } = process.env
  if (hub && !HF_HUB_CACHE && !HUGGINGFACE_HUB_CACHE && !HF_HOME) process.env.HF_HUB_CACHE = hub
}

/** What a child process is told in unit mode. */
interface UnitChildSettings {
  mode: 'unit'
  bases: string[]
}

/** Has the child processes of this worker load the preload with these settings. */
export function reachChildren(settings: ChildSettings | UnitChildSettings): void {
  process.env.VITEST_MODEL_CACHE_CHILD = JSON.stringify(settings)
  process.env.NODE_OPTIONS = withPreload(process.env.NODE_OPTIONS)
}

/** Adds our `--require` to the user's options. Node.js reads the path from quotes: it may hold spaces. */
function withPreload(options = ''): string {
  const own = `--require=${JSON.stringify(PRELOAD)}`
  return options.includes(own) ? options : `${options} ${own}`.trim()
}
