import type { Manifest } from '../../cache/context/manifest.ts'
import type { Progress } from '../../cache/context/progress.ts'
import type { ModelCache } from '../../cache/model-cache.ts'
import type { WarmResult } from '../../cache/warm.ts'
import type { Entry } from '../../model/entry.ts'
import { messageOf } from '../../model/errors.ts'
import { describeModel, type Model, modelKey, modelLabel, selectedKey } from '../../model/model.ts'
import { originals } from '../../platform/originals.ts'
import { progressLines } from '../../report/progress-lines.ts'
import type { WarmedModel, WarmUpFailure } from '../../report/report.ts'
import { historyOf, RUNS_BACK } from '../history.ts'
import type { Project } from '../project.ts'
import type { Session } from '../session.ts'
import { manifestOfRerun } from './hand-over.ts'
import { distinct, modelsToWarm } from './models-to-warm.ts'
import type { Queue } from './predict.ts'

/** The manifest of a project without warmed models. */
export const NOTHING_WARMED: Manifest = { models: [], failures: [] }

/**
 * Downloads the models that the queued tests will probably request (see `modelsToWarm`). Returns the manifest for the workers.
 * Never throws: a model that can't be downloaded fails the test that asks for it, and not the run.
 */
export async function warmUp(session: Session, project: Project, queue?: Queue): Promise<Manifest> {
  const { root, options, cache } = project
  if (options.mode === 'unit') return NOTHING_WARMED
  const started = originals.monotonic()
  cache.context.hasAskedHub = false
  const warmed: WarmedModel[] = []
  const failures: WarmUpFailure[] = []
  let isFirstRun = false
  let predicted: string[] | undefined
  try {
    const lastRuns = await cache.lastRuns(root, RUNS_BACK)
    isFirstRun = lastRuns.length === 0
    project.history ??= historyOf(lastRuns)
    const recorded = { lastRuns, entries: () => recordedIn(cache) }
    const chosen = await modelsToWarm(project, recorded, queue)
    const models = distinct([...chosen.models, ...(project.warmed ?? [])])
    predicted = chosen.predicted?.map(modelLabel)
    if (models.length === 0) return NOTHING_WARMED
    project.warmed = models
    const keys = new Set(models.map(selectedKey))
    const replaced = options.models.filter((model) => !keys.has(selectedKey(model)))
    session.isWarmed = true
    const print = (line: string) => session.output.print(line)
    const { begunAt, results } = await warmModels(cache, models, replaced, progressLines(print))
    // Failures of undeclared models are not shown: perhaps no test uses these models any more. A test that requests one gets the error.
    const declared = new Set(options.models.map(selectedKey))
    failures.push(...results.flatMap((result) => (declared.has(selectedKey(result.model)) ? failureOf(result) : [])))
    // If a report is shown, it names each failure.
    if (!session.hasReporter || options.report === false)
      for (const { message } of failures) session.output.note(`The warm-up failed: ${message}`)
    await cache.claim(...results.flatMap((result) => ('cached' in result ? [result.cached] : [])))
    warmed.push(...results.flatMap((result) => warmedModel(result, begunAt, declared.has(selectedKey(result.model)))))
    return await cache.manifest(results)
  } catch (error) {
    // The cache can't be used. A test that requests a model gets the error; the other tests do not need the cache.
    session.output.note(`Warm-up failed: ${messageOf(error)}`)
    return NOTHING_WARMED
  } finally {
    const { hasAskedHub: askedHub } = cache.context
    const ms = originals.monotonic() - started
    session.warmUps.push({ project, ms, askedHub, models: warmed, failures, predicted, isFirstRun })
  }
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
): Promise<Manifest> {
  const { options, cache, history, warmed = [] } = project
  if (options.mode !== 'unit' && options.warm === 'predicted' && history) {
    const { models } = await modelsToWarm(project, { lastRuns: [], entries: () => recordedIn(cache) }, queue)
    const keys = new Set(warmed.map(selectedKey))
    if (models.some((model) => !keys.has(selectedKey(model)))) return warmUp(session, project, queue)
  }
  return manifestOfRerun(before)
}

/** The recorded entries. Models that another tool put into the folder are left out: no run used them. */
async function recordedIn({ context }: ModelCache): Promise<Entry[]> {
  const metadata = await context.metadata()
  return [...(await metadata.all()).values()]
}

/**
 * Warms models, and notes when the work on each began. `replaced` are the declared models for which `models` has earlier uses at most.
 * If the present commit lacks a file of such a use, the model is warmed as it is declared.
 */
async function warmModels(cache: ModelCache, models: Model[], replaced: Model[], show: (progress: Progress) => void) {
  const begunAt = new Map<string, number>()
  const onProgress = (progress: Progress) => {
    if (!begunAt.has(progress.model)) begunAt.set(progress.model, originals.now())
    show(progress)
  }
  const results = await cache.warm(models, { onProgress })
  const gone = results.flatMap((result) =>
    'error' in result && result.error.code === 'FILE_NOT_FOUND' ? [modelKey(result.model)] : [],
  )
  const left = replaced.filter((model) => gone.includes(modelKey(model)))
  return { begunAt, results: left.length > 0 ? [...results, ...(await cache.warm(left, { onProgress }))] : results }
}

function failureOf(result: WarmResult): WarmUpFailure[] {
  if (!('error' in result)) return []
  const { model, error } = result
  return [{ repo: model.repo, model: describeModel(model), code: error.code, message: error.message }]
}

/** The part of the report about a warmed model. Empty for a model that was on disk already. */
function warmedModel(result: WarmResult, begunAt: Map<string, number>, isDeclared: boolean): WarmedModel[] {
  if (!('cached' in result) || result.cached.tier === 'disk') return []
  const { repo, revision, commit, tier, files, downloadMs, downloadedBytes, adoptedBytes, repaired } = result.cached
  const { restoreMs, restoredBytes, unpackedBytes } = result.cached
  const shape = { files: [...files], repaired: [...repaired], at: begunAt.get(modelLabel(result.model)), isDeclared }
  const amounts = { downloadMs, downloadedBytes, restoreMs, restoredBytes, unpackedBytes, adoptedBytes }
  return [{ repo, revision, commit, tier, ...amounts, ...shape }]
}
