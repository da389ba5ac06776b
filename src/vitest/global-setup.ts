import type { TestProject } from 'vitest/node'
import type { Manifest } from '../cache/context/manifest.ts'
import { isMarked } from '../cache/store/remove-own.ts'
import { cacheSettings, type Options } from '../config/options.ts'
import { originals } from '../platform/originals.ts'
import { spent } from '../platform/own-time.ts'
import { openEvents, removeEvents, shareManifest } from '../run/child-events.ts'
import { openSession, optionsByHand, type ProjectSetup, setUpProject } from '../run/session.ts'
import { warmUp } from '../run/warm-up.ts'
import type { WorkerSettings } from '../run/worker-settings.ts'
import { BROWSER_CHANNEL } from './browser/channel.ts'
import { CHANNEL } from './channel.ts'

const NOTHING: Manifest = { models: [], failures: [] }

/** Warms the cache for one project before its tests, and provides to its workers what they need. */
export default async function globalSetup(project: TestProject): Promise<() => Promise<void>> {
  const started = originals.monotonic()
  try {
    const end = await setUp(project)
    return async () => {
      const started = originals.monotonic()
      await end()
      spent('teardown', started)
    }
  } finally {
    spent('global setup', started)
  }
}

/** Gives what ends it. */
async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const session = openSession(project.vitest)
  const rootOptions = project.isRootProject() && !session.projects.has(project) ? pluginOptions(project) : undefined
  if (rootOptions) return setUpAdopted(project, rootOptions)
  const setup = session.projects.get(project) ?? setUpProject(session, project, optionsByHand(project.config))
  const isWarmed = setup.options.mode === 'integration' && (session.isRunning || !session.hasReporter)
  const manifest = isWarmed ? await warmUp(session, project, setup) : NOTHING
  if (project.isBrowserEnabled()) return serveBrowsers(project, setup, manifest)
  if (isWarmed && setup.options.intercept.length > 0) {
    // Children find a cache, and so do programs in other languages, which would fill a folder that has no mark.
    await setup.cache.prepare()
    setup.events ??= openEvents(setup.cache.context, session.runId)
  }
  const provide = (manifest: Manifest) => {
    project.provide(CHANNEL, provided(session.runId, project, setup, manifest))
    if (setup.events) shareManifest(setup.events.folder, manifest)
  }
  provide(manifest)
  project.onTestsRerun(() => provide(ofRerun(manifest)))
  return async () => {
    if (setup.events) await removeEvents(setup.events)
    await setup.cache.endRun()
  }
}

/** The options of the plugin in a project's config, where it has the plugin. */
function pluginOptions({ vite }: TestProject): Options | undefined {
  return vite.config.plugins.find(({ name }) => name === 'vitest-model-cache')?.api?.options
}

/** The root of several projects has no tests itself. Its plugin is for the projects that have none. */
async function setUpAdopted(root: TestProject, options: Options): Promise<() => Promise<void>> {
  const { adoptProjects } = await import('./adopt-projects.ts')
  const ends: (() => Promise<void>)[] = []
  for (const project of adoptProjects(root, options)) ends.push(await setUp(project))
  return async () => {
    for (const end of ends) await end()
  }
}

/** Browsers have no Node.js that could open the cache: the main process answers them, and hands none of it to the page. */
async function serveBrowsers(
  project: TestProject,
  setup: ProjectSetup,
  manifest: Manifest,
): Promise<() => Promise<void>> {
  const { closeService, openService } = await import('./browser/service.ts')
  const { options } = setup
  // Where nothing real is loaded nothing is answered either.
  const intercept = options.mode === 'unit' ? [] : options.intercept
  const service = openService({ ...options, intercept }, project.config.root)
  setup.browser = service
  service.serve(manifest)
  project.provide(BROWSER_CHANNEL, service.provided)
  project.onTestsRerun(() => service.serve(ofRerun(manifest)))
  return async () => {
    closeService(service)
    await setup.cache.endRun()
  }
}

/** In watch mode: what the first run downloaded is no miss of the next, and what failed then is tried again. */
function ofRerun({ models }: Manifest): Manifest {
  return { models: models.map((model) => ({ ...model, downloaded: false })), failures: [] }
}

/** The options that workers need: of the Hub's name by name, as the token must never be among them. */
function provided(
  runId: string,
  project: TestProject,
  { options, cache: { context }, events }: ProjectSetup,
  manifest: Manifest,
): WorkerSettings {
  const { mode, debug, intercept } = options
  const { endpoint, concurrency, timeoutMs } = options.hub
  const cache = { ...cacheSettings(options), hub: { endpoint, concurrency, timeoutMs } }
  return {
    ...{ run: { id: runId, pid: process.pid }, root: project.config.root, mode, debug, cache, manifest },
    // Where nothing real is loaded nothing is answered either.
    intercept: mode === 'unit' ? [] : intercept,
    events: events?.folder ?? '',
    hub: isMarked(context.layout) && !context.refusal ? context.layout.hub : undefined,
  }
}
