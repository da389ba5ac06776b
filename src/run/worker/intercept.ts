import { join } from 'node:path'
import process from 'node:process'
import type { Bridge } from '../../intercept/bridge.ts'
import type { ChildSettings } from '../../intercept/child.ts'
import { foreignResponse, originals } from '../../platform/originals.ts'
import { manifestFile } from '../manifest-file.ts'
import { PRELOAD, type Preload } from '../preload.ts'
import type { WorkerSettings } from '../worker-settings.ts'

interface Interception {
  preload: Preload
  settings: WorkerSettings
  /** The absolute path of the test file. */
  testFile: string
  global: typeof globalThis
  /** Opens the bridge, which answers requests. Called at the first request. */
  open: () => Promise<Bridge>
}

/** The variables that `intercept` and `interceptUnit` set in this process, for its child processes. */
export const VARIABLES_FOR_CHILDREN = ['VITEST_MODEL_CACHE_CHILD', 'NODE_OPTIONS', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE']

/** Lets the untouched code of one test file use the cache: code in this worker, and the child processes that it starts. */
export function intercept({ preload, settings, testFile, global, open }: Interception): void {
  const { intercept: bases, cache, threads, run, events, hub, debug } = settings
  preload.installBridge(bases, open)
  if (bases.length === 0) return
  // The window of happy-dom has a `Response` class of its own. transformers.js 3 stores only responses of that class, so answers
  // must be instances of it.
  preload.wrapFetch(global, foreignResponse(global))
  const child: ChildSettings = {
    ...{ run, cache, bases, threads, testFile, debug },
    manifest: manifestFile(events),
    events: join(events, eventsName()),
  }
  reachChildren(child)
  // Programs in other languages use the same layout, and find the folder by this variable. A folder that the user chose is kept.
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME } = process.env
  if (hub && !HF_HUB_CACHE && !HUGGINGFACE_HUB_CACHE && !HF_HOME) process.env.HF_HUB_CACHE = hub
}

/**
 * The beginning of the names of the events files of one test file. Each child process adds its own id. Not `randomBytes`: loading
 * node:crypto takes 2 ms in each worker.
 */
function eventsName(): string {
  const microseconds = Math.floor(originals.monotonic() * 1000)
  return [originals.pid, microseconds].map((value) => (value % 0x1000000).toString(16).padStart(6, '0')).join('')
}

/** The settings of a child process in unit mode. */
interface UnitChildSettings {
  mode: 'unit'
  bases: string[]
}

/** Makes the child processes of this worker load the preload with these settings. */
export function reachChildren(settings: ChildSettings | UnitChildSettings): void {
  process.env.VITEST_MODEL_CACHE_CHILD = JSON.stringify(settings)
  process.env.NODE_OPTIONS = withPreload(process.env.NODE_OPTIONS)
}

/** Adds our `--require` to the user's options. The path is in quotes, because it may contain spaces. */
function withPreload(options = ''): string {
  const own = `--require=${JSON.stringify(PRELOAD)}`
  return options.includes(own) ? options : `${options} ${own}`.trim()
}
