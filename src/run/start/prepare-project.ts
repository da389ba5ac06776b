import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { messageOf } from '../../model/errors.ts'
import { chooseEventsFolder } from '../events-folder.ts'
import type { Project } from '../project.ts'
import type { Queue } from '../queue.ts'
import type { Session } from '../session.ts'
import { RUN_VARIABLE, settingsFile } from '../settings-file.ts'
import type { WorkerSettings } from '../worker-settings.ts'
import { handOver } from './hand-over.ts'
import { serveChildren } from './serve-children.ts'
import { warmUp } from './warm-up.ts'

interface HowToPrepare {
  /** The runner's id of the project. */
  id: string
  /** How many test files run at the same time, at most. */
  filesAtOnce: number
  /** The folder with the settings of the projects before: all settings of a run are in one folder. */
  folder?: string | undefined
  /** The tests that will run, if they are known. */
  queue?: Queue | undefined
  /** True if the runner has test files wait for the models that they need. */
  canPrefetch?: boolean
}

/**
 * Prepares a project before its tests, under a runner that passes no data of ours to its workers: warms the cache, and leaves the settings
 * in a file. Returns the settings. Undefined if that failed: tests that use no model must not fail.
 */
export async function prepareProject(
  session: Session,
  project: Project,
  { id, filesAtOnce, folder, queue, canPrefetch = false }: HowToPrepare,
): Promise<WorkerSettings | undefined> {
  try {
    const manifest = await warmUp(session, project, queue, { canPrefetch })
    // The tests may run in this process.
    if (project.prefetch) await (await import('../../platform/keep-builtins.ts')).keepBuiltins()
    await serveChildren(session, project)
    project.events ??= chooseEventsFolder(project.cache.context, session.runId)
    const settings = await handOver(session, project, { manifest, filesAtOnce })
    leaveSettings(folder ?? settings.events, id, settings)
    return settings
  } catch (error) {
    session.output.note(`The tests of ${project.root} run without models: ${messageOf(error)}`)
    return undefined
  }
}

function leaveSettings(folder: string, id: string, settings: WorkerSettings): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(settingsFile(folder, id), JSON.stringify(settings), { mode: 0o600 })
  process.env[RUN_VARIABLE] = folder
}
