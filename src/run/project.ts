import type { Manifest } from '../cache/context/manifest.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import type { Options } from '../config/options.ts'
import type { Model } from '../model/model.ts'
import type { FileReport, Workers } from '../model/request.ts'
import type { EventsFolder } from './events-folder.ts'
import type { History } from './history.ts'
import type { NamedModels, Queue } from './queue.ts'
import type { Arrivals } from './worker-settings.ts'

/** A project of the test runner, with its options and its cache. */
export interface Project {
  /** The project's root folder: an absolute path. */
  root: string
  options: Options
  cache: ModelCache
  /** Where child processes of its tests report. Undefined until the folder is chosen, and if child processes are not served. */
  events?: EventsFolder
  /** Which models its test files used in earlier runs. Undefined until that is read, and if no earlier run recorded it. */
  history?: History
  /** What the queued test files name in their sources. Undefined if that was not read. */
  named?: ReadonlyMap<string, NamedModels>
  /** The models that were warmed in this session. */
  warmed?: Model[]
  /** Set if tests began, or are about to begin, while models were on their way. */
  prefetch?: Prefetch
  /** Set if the runner says how many workers it has, and if test files could share what a worker has loaded. */
  workers?: Omit<Workers, 'group'>
  /** Set if the project's tests run in browser pages. */
  pages?: PageReports
}

/** The models of a project that are on their way while its tests run. Test files are named relative to the project's root. */
export interface Prefetch {
  /** The manifest of a further run in watch mode, for the test files that are queued then. */
  manifestOfRerun(queue: Queue): Promise<Manifest>
  /**
   * Called before each run. Returns the manifest of the models that have arrived, and what the workers have to know of the others. The latter
   * is undefined if all have arrived.
   */
  beginTests(): Promise<{ manifest: Manifest; arrivals: Arrivals | undefined }>
  /** Called when a worker begins with a test file. The first call in a run counts. */
  testsBegan(): void
  /** How late the last model of a test file is expected: 0 if it waits for none. */
  rankOf(testFile: string): number
  /** How long a test file that began at `from` waited for models. Milliseconds; `from` is on the clock of `Date`. */
  waitedMs(testFile: string, from: number): number
  /** Lets all test files begin at once: the run was cancelled. */
  release(): void
  /** Called when the tests have ended. Ends the downloads, but not in watch mode. Adds what was ahead to the record of the warm-up. */
  endTests(isWatching: boolean): Promise<void>
  /** Ends the downloads. What came of a file is kept for the next run. */
  stop(): Promise<void>
}

/** The requests of browser pages. The main process answers pages itself, so it also counts their requests. */
export interface PageReports {
  /** The requests of one test file since the last call. */
  drain(testFile: string): FileReport
  /** The requests of each test file since the last call. */
  drainAll(): ({ testFile: string } & FileReport)[]
}
