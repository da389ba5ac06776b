import { join } from 'node:path'

/**
 * The variable that names the folder with the settings of the run, under a runner that passes no data of ours to its workers. A variable
 * reaches forked workers, worker threads and tests that run in the main process.
 */
export const RUN_VARIABLE = 'VITEST_MODEL_CACHE_RUN'

/** The file with the settings for the workers of one project. `id` is the runner's id of the project. */
export function settingsFile(folder: string, id: string): string {
  return join(folder, `settings-${id}.json`)
}
