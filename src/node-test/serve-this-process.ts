import { readFileSync } from 'node:fs'
import process from 'node:process'
import { ReportFile } from '../run/worker/report-file.ts'
import { openWorker } from '../run/worker/worker.ts'
import type { WorkerSettings } from '../run/worker-settings.ts'

/** The variable that names the file with the settings of the run. */
export const SETTINGS_VARIABLE = 'VITEST_MODEL_CACHE_NODE_TEST'

/**
 * Gives models to the test file of this process, and leaves its report at the end of the process. Does nothing in the process of the
 * runner, and without a run.
 */
export function serveThisProcess(): void {
  const path = process.env[SETTINGS_VARIABLE]
  const settings = path ? read(path) : undefined
  if (!settings || settings.run.pid === process.pid) return
  const testFile = process.argv[1] ?? settings.root
  const worker = openWorker(settings, globalThis)
  const report = new ReportFile(settings.events, { project: '', testFile }, () => worker.collected())
  worker.begin(testFile, undefined, () => report.writeSoon())
  process.once('exit', () => report.write(worker.end()))
}

function read(path: string): WorkerSettings | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // The run is over.
    return undefined
  }
}
