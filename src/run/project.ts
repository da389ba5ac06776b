import type { ModelCache } from '../cache/model-cache.ts'
import type { Options } from '../config/options.ts'
import type { FileReport } from '../model/request.ts'
import type { EventsFolder } from './events-folder.ts'

/** A project of the test runner: its options, and the cache that they mean. */
export interface Project {
  /** The project's root folder: an absolute path. */
  root: string
  options: Options
  cache: ModelCache
  /** Where child processes of its tests report; undefined until the folder is chosen, and where child processes are not served. */
  events?: EventsFolder
  /** Set where the project's tests run in browser pages. */
  pages?: PageReports
}

/** What browser pages asked for. The main process answers pages itself, so it also counts their requests. */
export interface PageReports {
  /** What one test file asked for since the last call. */
  drain(testFile: string): FileReport
  /** What each test file asked for since the last call. */
  drainAll(): ({ testFile: string } & FileReport)[]
}
