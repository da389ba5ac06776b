import { relative } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { Manifest } from '../cache/context/manifest.ts'
import type { Options } from '../config/options.ts'
import { originals } from '../platform/originals.ts'
import { spent } from '../platform/own-time.ts'
import { endProject } from '../run/end/end-project.ts'
import type { Project } from '../run/project.ts'
import type { Queue } from '../run/queue.ts'
import type { Session } from '../run/session.ts'
import { handOver, manifestOfRerun } from '../run/start/hand-over.ts'
import { serveChildren } from '../run/start/serve-children.ts'
import { NOTHING_WARMED, warmUp, warmUpAgain } from '../run/start/warm-up.ts'
import { findProject } from './add-project.ts'
import { BROWSER_CHANNEL } from './browser/channel.ts'
import { CHANNEL } from './channel.ts'
import { keepCompiledCode } from './keep-compiled-code.ts'
import { placesOf } from './places-of.ts'
import { queuedFiles } from './queued-files.ts'
import { runReadyFirst } from './run-ready-first.ts'
import { openSession } from './session.ts'
import { mostWorkers, workersOf } from './workers-of.ts'

/** Warms the cache for one project before its tests, and provides to its workers what they need. */
export default async function globalSetup(testProject: TestProject): Promise<() => Promise<void>> {
  const started = originals.monotonic()
  try {
    const end = await setUp(testProject)
    return async () => {
      const started = originals.monotonic()
      openSession(testProject.vitest).stopUpload()
      await end()
      spent('teardown', started)
    }
  } finally {
    spent('global setup', started)
  }
}

/** Returns the teardown. */
async function setUp(testProject: TestProject): Promise<() => Promise<void>> {
  const session = openSession(testProject.vitest)
  const isUnknownRoot = testProject.isRootProject() && !session.projects.has(testProject)
  const rootOptions = isUnknownRoot ? pluginOptions(testProject) : undefined
  if (rootOptions) return setUpAdopted(testProject, rootOptions)
  const project = findProject(session, testProject)
  // `vitest list` calls the global setup too, and runs no test (4.1). Without a reporter that can't be noticed.
  const willRun = session.isRunning || !session.hasReporter
  // A page gets no model that is not warmed, so what its test files may need is not narrowed.
  const isBrowser = testProject.isBrowserEnabled()
  const queue = isBrowser ? undefined : queueOf(session, testProject)
  const canPrefetch = !isBrowser && !hasBenchmarks(testProject)
  let manifest = willRun ? await warmUp(session, project, queue, { canPrefetch }) : NOTHING_WARMED
  if (isBrowser) return serveBrowsers(testProject, project, manifest)
  if (willRun) await serveChildren(session, project)
  if (willRun) keepCompiledCode(testProject, project)
  project.workers = workersOf(testProject)
  const provide = async (manifest: Manifest, files?: number) => {
    const filesAtOnce = Math.min(mostWorkers(testProject), files ?? Number.MAX_SAFE_INTEGER)
    const settings = await handOver(session, project, { manifest, filesAtOnce })
    testProject.provide(CHANNEL, settings)
    if (settings.arrivals) runReadyFirst(testProject.vitest, session)
  }
  await provide(manifest, session.testFiles)
  testProject.onTestsRerun(async (specifications) => {
    session.queued = await queuedFiles(testProject.vitest, specifications)
    const queue = queueOf(session, testProject)
    manifest = queue ? await warmUpAgain(session, project, manifest, queue, { canPrefetch }) : manifestOfRerun(manifest)
    await provide(manifest)
  })
  return () => endProject(project)
}

/** Undefined if the reporter was not told which test files will run. */
function queueOf({ queued }: Session, testProject: TestProject): Queue | undefined {
  const files = queued?.get(testProject) ?? []
  const { source: testNamePattern, flags: testNameFlags } = testProject.vitest.getGlobalTestNamePattern() ?? {}
  const places = () => placesOf(testProject)
  return (
    queued && {
      files: files.map((path) => relative(testProject.config.root, path)),
      testNamePattern,
      testNameFlags,
      places,
    }
  )
}

/** A download would change the times of a benchmark. */
function hasBenchmarks({ vitest }: TestProject): boolean {
  // In Vitest 5, benchmarks are projects of a run of tests.
  const isOfBenchmarks = ({ config }: TestProject) => Reflect.get(Object(config.benchmark), 'enabled') === true
  return vitest.config.mode === 'benchmark' || vitest.projects.some(isOfBenchmarks)
}

/** The options of the plugin in a project's config; undefined where the config has no such plugin. */
function pluginOptions({ vite }: TestProject): Options | undefined {
  return vite.config.plugins.find(({ name }) => name === 'vitest-model-cache')?.api?.options
}

/** The root of several projects has no tests itself. Its plugin serves the projects that have no plugin of their own. */
async function setUpAdopted(root: TestProject, options: Options): Promise<() => Promise<void>> {
  const { adoptProjects } = await import('./adopt-projects.ts')
  const ends: (() => Promise<void>)[] = []
  for (const project of await adoptProjects(root, options)) ends.push(await setUp(project))
  return async () => {
    for (const end of ends) await end()
  }
}

/** A page has no Node.js that could open the cache. So the main process answers its requests, and pages get no settings of the cache. */
async function serveBrowsers(
  testProject: TestProject,
  project: Project,
  manifest: Manifest,
): Promise<() => Promise<void>> {
  const { closeService, openService } = await import('./browser/service.ts')
  const { options, root } = project
  const service = openService(options, root)
  project.pages = service
  service.serve(manifest)
  testProject.provide(BROWSER_CHANNEL, service.provided)
  testProject.onTestsRerun(() => service.serve(manifestOfRerun(manifest)))
  return async () => {
    closeService(service)
    await endProject(project)
  }
}
