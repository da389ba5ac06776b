import { relative } from 'node:path'
import process from 'node:process'
import { optionsIn } from '../config/jest/own-options.ts'
import { originals } from '../platform/originals.ts'
import { spent } from '../platform/own-time.ts'
import type { Queue } from '../run/queue.ts'
import { type Session, setOwnMsAside } from '../run/session.ts'
import { addProject } from '../run/start/add-project.ts'
import { prepareProject } from '../run/start/prepare-project.ts'
import { REPORTER } from './own-files.ts'
import { callUsersHooks } from './run/call-users-hooks.ts'
import { endRun } from './run/end-run.ts'
import { projectsOf } from './run/projects-of.ts'
import { filesByProject, takeQueue } from './run/queued-files.ts'
import { runReadyFirst } from './run/run-ready-first.ts'
import { openRun, testsBegan } from './run/session.ts'
import type { GlobalConfig, ProjectConfig } from './types.ts'

/** Warms the cache for each project before its tests, and leaves for its workers what they need. */
export default async function globalSetup(globalConfig: GlobalConfig, projectConfig: ProjectConfig): Promise<void> {
  const started = originals.monotonic()
  const run = openRun()
  const { session } = run
  try {
    const queued = takeQueue(globalConfig)
    session.queued = queued && filesByProject(queued.tests)
    session.testNamePattern = globalConfig.testNamePattern || undefined
    run.projects = await projectsOf(globalConfig, projectConfig)
    for (const each of run.projects) {
      if (session.projects.has(each.id)) continue
      const options = optionsIn(each, process.env, globalConfig.rootDir)
      const project = addProject(session, each.id, { root: each.rootDir, options })
      const queue = queueOf(session, each)
      const how = { id: each.id, filesAtOnce: globalConfig.maxWorkers, folder: run.folder, queue, canPrefetch: true }
      const settings = await prepareProject(session, project, how)
      run.folder ??= settings?.events
    }
    spent('global setup', started)
    setOwnMsAside(session)
    await callUsersHooks('globalSetup', globalConfig, run.projects)
    if (queued) runReadyFirst(session, queued)
    // The command line can replace the reporters. Ours knows when the first test file begins.
    if (!globalConfig.reporters?.some(([path]) => path === REPORTER)) testsBegan(session)
  } catch (error) {
    // Jest calls no teardown then.
    await endRun(run, globalConfig)
    throw error
  }
}

/** Undefined if it is not known which test files will run. */
function queueOf({ queued, testNamePattern }: Session, { id, rootDir }: ProjectConfig): Queue | undefined {
  const files = queued?.get(id) ?? []
  // Jest compares names without regard to case.
  return queued && { files: files.map((path) => relative(rootDir, path)), testNamePattern, testNameFlags: 'i' }
}
