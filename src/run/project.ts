import type { ModelCache } from '../cache/model-cache.ts'
import type { Options } from '../config/options.ts'
import type { Model } from '../model/model.ts'
import type { FileReport, Workers } from '../model/request.ts'
import type { EventsFolder } from './events-folder.ts'
import type { History } from './history.ts'

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
  /** The models that were warmed in this session. */
  warmed?: Model[]
  /** Set if the runner says how many workers it has, and if test files could share what a worker has loaded. */
  workers?: Omit<Workers, 'group'>
  /** Set if the project's tests run in browser pages. */
  pages?: PageReports
}

/** The requests of browser pages. The main process answers pages itself, so it also counts their requests. */
export interface PageReports {
  /** The requests of one test file since the last call. */
  drain(testFile: string): FileReport
  /** The requests of each test file since the last call. */
  drainAll(): ({ testFile: string } & FileReport)[]
}
