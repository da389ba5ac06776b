import process from 'node:process'
import { readSettings } from '../run/worker/read-settings.ts'
import { ReportFile } from '../run/worker/report-file.ts'
import { openWorker } from '../run/worker/worker.ts'

/** A run of `node --test` has one project. */
export const PROJECT = 'node'

/**
 * Gives models to the test file of this process, and leaves its report at the end of the process. Does nothing in the process of the
 * runner, and without a run.
 */
export function serveThisProcess(): void {
  const settings = readSettings(PROJECT)
  if (!settings || settings.run.pid === process.pid) return
  const testFile = process.argv[1] ?? settings.root
  const worker = openWorker(settings, globalThis)
  const report = new ReportFile(settings.events, { project: PROJECT, testFile }, () => worker.collected())
  worker.begin(testFile, undefined, () => report.writeSoon())
  process.once('exit', () => report.write(worker.end()))
}
