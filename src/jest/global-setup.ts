import { mkdirSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { optionsIn } from '../config/jest/own-options.ts'
import { messageOf } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { spent } from '../platform/own-time.ts'
import { chooseEventsFolder } from '../run/events-folder.ts'
import type { Project } from '../run/project.ts'
import { setOwnMsAside } from '../run/session.ts'
import { addProject } from '../run/start/add-project.ts'
import { handOver } from '../run/start/hand-over.ts'
import { serveChildren } from '../run/start/serve-children.ts'
import { warmUp } from '../run/start/warm-up.ts'
import { callUsersHooks } from './call-users-hooks.ts'
import { endRun } from './end-run.ts'
import { projectsOf } from './projects-of.ts'
import { RUN_VARIABLE, settingsFile } from './run-variable.ts'
import { type JestRun, openRun } from './session.ts'
import type { GlobalConfig, ProjectConfig } from './types.ts'

/** Warms the cache for each project before its tests, and leaves for its workers what they need. */
export default async function globalSetup(globalConfig: GlobalConfig, projectConfig: ProjectConfig): Promise<void> {
  const started = originals.monotonic()
  const run = openRun()
  const { session } = run
  try {
    run.projects = await projectsOf(globalConfig, projectConfig)
    for (const each of run.projects) {
      if (session.projects.has(each.id)) continue
      const options = optionsIn(each, process.env, globalConfig.rootDir)
      await setUp(run, globalConfig, each, addProject(session, each.id, { root: each.rootDir, options }))
    }
    spent('global setup', started)
    setOwnMsAside(session)
    await callUsersHooks('globalSetup', globalConfig, run.projects)
  } catch (error) {
    // Jest calls no teardown then.
    await endRun(run, globalConfig)
    throw error
  }
}

async function setUp(run: JestRun, globalConfig: GlobalConfig, { id }: ProjectConfig, project: Project): Promise<void> {
  const { session } = run
  try {
    const manifest = await warmUp(session, project)
    await serveChildren(session, project)
    project.events ??= chooseEventsFolder(project.cache.context, session.runId)
    const settings = handOver(session, project, { manifest, filesAtOnce: globalConfig.maxWorkers })
    // All settings of a run are in one folder, that of the first project.
    const place = run.folder ?? project.events.folder
    mkdirSync(place, { recursive: true, mode: 0o700 })
    writeFileSync(settingsFile(place, id), JSON.stringify(settings), { mode: 0o600 })
    if (run.folder !== undefined) return
    run.folder = place
    run.restore = keepEnvironment()
    process.env[RUN_VARIABLE] = place
  } catch (error) {
    // Tests that use no model must not fail.
    session.output.note(`The tests of ${project.root} run without models: ${messageOf(error)}`)
  }
}

/** Tests that run in this process get variables for their child processes. Returns a function that puts the former values back. */
function keepEnvironment(): () => void {
  const names = [RUN_VARIABLE, 'VITEST_MODEL_CACHE_CHILD', 'NODE_OPTIONS', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE']
  const kept = names.map((name) => [name, process.env[name]] as const)
  return () => {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
