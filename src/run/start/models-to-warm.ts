import type { RunRecord } from '../../cache/store/entries/runs.ts'
import type { Entry } from '../../model/entry.ts'
import { type Model, modelKey } from '../../model/model.ts'
import { selectionKey } from '../../model/selection.ts'
import type { History } from '../history.ts'
import type { Project } from '../project.ts'
import { declaredAsUsed } from './declared-as-used.ts'
import { modelOfUse, modelsUsedIn } from './last-used.ts'
import { type Prediction, predict, type Queue } from './predict.ts'

export interface ToWarm {
  /** What to warm, in this order. */
  models: Model[]
  /** The models that are predicted. Undefined if nothing could be predicted. */
  predicted?: Model[]
}

/** What earlier runs of a project tell. */
export interface Known {
  lastRuns: RunRecord[]
  /** The recorded entries. */
  entries: () => Promise<Entry[]>
}

/**
 * The models to warm by the option `warm`. `queue` is undefined if the runner does not tell which test files it will run: any test
 * file may be among them, so `predicted` then means the declared models and those that the last runs used.
 */
export async function modelsToWarm(
  { options, history }: Pick<Project, 'options' | 'history'>,
  { lastRuns, entries }: Known,
  queue: Queue | undefined,
): Promise<ToWarm> {
  if (options.warm === 'none') return { models: [] }
  const lastUsed = lastRuns.flatMap(modelsUsedIn)
  const declared = () => declaredAsUsed(options.models, lastUsed, entries)
  if (options.warm === 'declared') return { models: await declared() }
  if (options.warm === 'all')
    return { models: distinct([...(await declared()), ...lastUsed, ...(history ? allIn(history) : [])]) }
  if (!history || !queue) return { models: distinct([...(await declared()), ...lastUsed]) }
  const { needed, isComplete }: Prediction = predict({ history, queue })
  const pinned = new Set(options.models.filter(({ pin }) => pin).map(modelKey))
  const predicted = needed.map((model) => ({ ...model, pin: pinned.has(modelKey(model)) }))
  const others = isComplete ? options.models.filter(neverUsedIn(history)) : await declared()
  return { models: distinct([...predicted, ...others]), predicted }
}

/** Selects the models that no test file was seen to use. Programs that do not report what they read may need them. */
function neverUsedIn(history: History): (model: Model) => boolean {
  const used = new Set<string>()
  for (const { uses } of history.values()) for (const { repo, revision } of uses) used.add(`${repo}@${revision}`)
  return (model) => !used.has(modelKey(model))
}

function allIn(history: History): Model[] {
  return [...history.values()].flatMap(({ uses }) => uses.flatMap((use) => modelOfUse(use) ?? []))
}

/** The key of a model and of its selection. */
export function warmKey(model: Model): string {
  return `${modelKey(model)} ${selectionKey(model.selection)}`
}

export function distinct(models: Model[]): Model[] {
  const keys = new Map<string, Model>()
  for (const model of models) {
    const key = warmKey(model)
    if (!keys.has(key)) keys.set(key, model)
  }
  return [...keys.values()]
}
