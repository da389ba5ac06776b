import type { Manifest } from '../../cache/context/manifest.ts'
import type { ModelCache } from '../../cache/model-cache.ts'
import { stopMaintenance } from '../../cache/store/locks/stop-maintenance.ts'
import type { Entry } from '../../model/entry.ts'
import { messageOf } from '../../model/errors.ts'
import { modelLabel, selectedKey } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import { chooseEventsFolder } from '../events-folder.ts'
import { historyOf, RUNS_BACK } from '../history.ts'
import type { Project } from '../project.ts'
import type { Queue } from '../queue.ts'
import type { Session, WarmUp } from '../session.ts'
import { distinct, modelsToWarm } from './choice/models-to-warm.ts'
import { manifestOfRerun } from './hand-over.ts'
import { needsOf } from './prefetch/needs.ts'
import { readSources } from './read-sources.ts'
import { Warming } from './warming.ts'

/** The manifest of a project without warmed models. */
export const NOTHING_WARMED: Manifest = { models: [], failures: [] }

interface WarmUpOptions {
  /** True if the runner has test files wait for the models that they need. */
  canPrefetch?: boolean
  /** After this time without any answer of the Hub, tests do not wait for models that nobody declared. Milliseconds. */
  patienceMs?: number
}

/**
 * Downloads the models that the queued tests will probably request (see `modelsToWarm`). Returns the manifest for the workers.
 * With `canPrefetch` it returns when some test file can begin, and sets `project.prefetch` if models are still on their way.
 * Never throws: a model that can't be downloaded fails the test that asks for it, and not the run.
 */
export async function warmUp(
  session: Session,
  project: Project,
  queue?: Queue,
  { canPrefetch = false, patienceMs }: WarmUpOptions = {},
): Promise<Manifest> {
  const { root, options, cache } = project
  if (options.mode === 'unit') return NOTHING_WARMED
  const started = originals.monotonic()
  cache.context.hasAskedHub = false
  stopMaintenance(cache.context.layout)
  const record: WarmUp = { project, ms: 0, askedHub: false, models: [], failures: [], isFirstRun: false }
  session.warmUps.push(record)
  let warming: Warming | undefined
  try {
    const lastRuns = await cache.lastRuns(root, RUNS_BACK)
    record.isFirstRun = lastRuns.length === 0
    project.history ??= historyOf(lastRuns)
    const recorded = { lastRuns, entries: () => recordedIn(cache) }
    project.named = await readSources(project, queue)
    const chosen = await modelsToWarm(project, recorded, queue, project.named)
    const models = distinct([...chosen.models, ...(project.warmed ?? [])])
    record.predicted = chosen.predicted?.map(modelLabel)
    if (models.length === 0) return NOTHING_WARMED
    project.warmed = models
    session.isWarmed = true
    warming = new Warming(session, project, record, patienceMs)
    await warming.begin(models)
    return canPrefetch ? await manifestAhead(session, project, warming, queue) : await manifestOfAll(warming)
  } catch (error) {
    await warming?.stop()
    // The cache can't be used. A test that requests a model gets the error; the other tests do not need the cache.
    session.output.note(`Warm-up failed: ${messageOf(error)}`)
    return NOTHING_WARMED
  } finally {
    record.askedHub = cache.context.hasAskedHub
    record.ms = originals.monotonic() - started
  }
}

async function manifestOfAll(warming: Warming): Promise<Manifest> {
  await warming.waitUntil(() => false)
  return warming.manifest()
}

/** The manifest of the models that are there when the first test file can begin. */
async function manifestAhead(
  { runId }: Session,
  project: Project,
  warming: Warming,
  queue: Queue | undefined,
): Promise<Manifest> {
  const { context } = project.cache
  const needs = warming.onTheWay.length > 0 && !context.refusal ? needsOf(project, queue) : undefined
  await warming.waitUntil((onTheWay) => needs?.letBegin(onTheWay) ?? false)
  if (!needs || warming.onTheWay.length === 0) return warming.manifest()
  await project.cache.prepare()
  project.events ??= chooseEventsFolder(context, runId)
  const { MarkedPrefetch } = await import('./prefetch/marked-prefetch.ts')
  const prefetch = new MarkedPrefetch(warming, needs, project.events.folder)
  project.prefetch = prefetch
  return prefetch.manifest()
}

/**
 * The manifest of a further run in watch mode. Warms what the queued test files need and the manifest before lacks. A download that
 * failed is tried again.
 */
export async function warmUpAgain(
  session: Session,
  project: Project,
  before: Manifest,
  queue: Queue,
  options: WarmUpOptions = {},
): Promise<Manifest> {
  const { cache, warmed = [] } = project
  const { mode, warm } = project.options
  if (mode !== 'unit' && warm === 'predicted') {
    project.named = await readSources(project, queue)
    const recorded = { lastRuns: [], entries: () => recordedIn(cache) }
    const { models } = await modelsToWarm(project, recorded, queue, project.named)
    const keys = new Set(warmed.map(selectedKey))
    if (models.some((model) => !keys.has(selectedKey(model)))) {
      // Its downloads go on in the new warm-up.
      await project.prefetch?.stop()
      project.prefetch = undefined
      return warmUp(session, project, queue, options)
    }
  }
  return project.prefetch ? project.prefetch.manifestOfRerun(queue) : manifestOfRerun(before)
}

/** The recorded entries. Models that another tool put into the folder are left out: no run used them. */
async function recordedIn({ context }: ModelCache): Promise<Entry[]> {
  const metadata = await context.metadata()
  return [...(await metadata.all()).values()]
}
