import type { TestProject } from 'vitest/node'
import type { Manifest } from '../cache/context/manifest.ts'
import type { Progress } from '../cache/context/progress.ts'
import type { ModelCache } from '../cache/model-cache.ts'
import type { RunRecord } from '../cache/store/runs.ts'
import type { WarmResult } from '../cache/warm.ts'
import { messageOf } from '../model/errors.ts'
import { describeModel, type Model, modelKey, modelLabel } from '../model/model.ts'
import { parseRepoId } from '../model/repo-id.ts'
import { parseRevision } from '../model/revision.ts'
import { parseSelection, selectionKey } from '../model/selection.ts'
import { originals } from '../platform/originals.ts'
import { progressLines } from '../report/progress-lines.ts'
import type { WarmedModel, WarmUpFailure } from '../report/report.ts'
import { declaredAsUsed } from './declared-as-used.ts'
import type { ProjectSetup, Session } from './session.ts'

/** How many runs back "what the last runs used" goes. */
const RUNS_BACK = 3

/**
 * Brings in what a project declared and what its last runs used, and gives the manifest for its workers. Never throws:
 * a model that can't be had fails the test that asks for it, with the reason, and not the run.
 */
export async function warmUp(session: Session, { config }: TestProject, setup: ProjectSetup): Promise<Manifest> {
  const { options, cache } = setup
  const started = originals.monotonic()
  cache.context.hasAskedHub = false
  const warmed: WarmedModel[] = []
  const failures: WarmUpFailure[] = []
  let isFirstRun = false
  try {
    const lastRuns = await cache.lastRuns(config.root, RUNS_BACK)
    isFirstRun = lastRuns.length === 0
    const lastUsed = lastRuns.flatMap(modelsOf)
    const asUsed = await declaredAsUsed(options.models, lastUsed, () => cache.list())
    const replaced = options.models.filter((model) => !asUsed.includes(model))
    const models = distinct([...asUsed, ...lastUsed])
    if (models.length === 0) return { models: [], failures: [] }
    session.isWarmed = true
    const print = (line: string) => session.output.print(line)
    const { begunAt, results } = await warmModels(cache, models, replaced, progressLines(print))
    // What only an earlier run used may be gone by now: who still asks for it is told why.
    const declared = new Set(options.models.map(keyOf))
    failures.push(...results.flatMap((result) => (declared.has(keyOf(result.model)) ? failureOf(result) : [])))
    // The report tells of them, each once.
    if (!session.hasReporter || options.report === false)
      for (const { message } of failures) session.output.note(`The warm-up failed: ${message}`)
    await cache.claim(...results.flatMap((result) => ('cached' in result ? [result.cached] : [])))
    warmed.push(...results.flatMap((result) => broughtIn(result, begunAt, declared.has(keyOf(result.model)))))
    return await cache.manifest(results)
  } catch (error) {
    // The cache itself can't be used: the tests that ask for a model say so, the others do not need it.
    session.output.note(`Warm-up failed: ${messageOf(error)}`)
    return { models: [], failures: [] }
  } finally {
    const { hasAskedHub: askedHub } = cache.context
    const ms = originals.monotonic() - started
    session.warmUps.push({ root: config.root, setup, ms, askedHub, models: warmed, failures, isFirstRun })
  }
}

/**
 * Warms models, and notes when each was begun: not all of them are at once. `replaced` were declared and are warmed by what the last
 * runs used: where a newer commit has no such files any more, they are warmed as they were declared.
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

/** What a run asked for. A use that can't be read is left out: the others are warmed. */
function modelsOf({ used }: RunRecord): Model[] {
  return used.flatMap((use) => modelOfUse(use) ?? [])
}

function modelOfUse({ repo, revision, selection }: RunRecord['used'][number]): Model | undefined {
  try {
    const parsed = parseSelection(JSON.parse(selection))
    return parsed && { repo: parseRepoId(repo), revision: parseRevision(revision, repo), selection: parsed, pin: false }
  } catch {
    // Not as we write it: the record was damaged.
    return undefined
  }
}

function distinct(models: Model[]): Model[] {
  const keys = new Map<string, Model>()
  for (const model of models) {
    const key = keyOf(model)
    if (!keys.has(key)) keys.set(key, model)
  }
  return [...keys.values()]
}

function keyOf(model: Model): string {
  return `${modelKey(model)} ${selectionKey(model.selection)}`
}

function failureOf(result: WarmResult): WarmUpFailure[] {
  if (!('error' in result)) return []
  const { model, error } = result
  return [{ repo: model.repo, model: describeModel(model), code: error.code, message: error.message }]
}

/** What the report has to say of a warmed model; nothing when it was there already. */
function broughtIn(result: WarmResult, begunAt: Map<string, number>, isDeclared: boolean): WarmedModel[] {
  if (!('cached' in result) || result.cached.tier === 'disk') return []
  const { repo, revision, commit, tier, files, downloadMs, downloadedBytes, adoptedBytes, repaired } = result.cached
  const shape = { files: [...files], repaired: [...repaired], at: begunAt.get(modelLabel(result.model)), isDeclared }
  return [{ repo, revision, commit, tier, downloadMs, downloadedBytes, adoptedBytes, ...shape }]
}
