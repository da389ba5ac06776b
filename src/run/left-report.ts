import type { FileReport } from '../model/request.ts'

/** The report that a worker leaves in the folder for events. */
export interface LeftReport extends FileReport {
  /** The runner's id of the project. */
  project: string
  /** The absolute path of the test file. */
  testFile: string
}
