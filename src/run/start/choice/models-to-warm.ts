import type { RunRecord } from '../../../cache/store/entries/runs.ts'
import type { Entry } from '../../../model/entry.ts'
import { type Model, modelKey, selectedKey } from '../../../model/model.ts'
import type { History } from '../../history.ts'
import type { Project } from '../../project.ts'
import type { NamedModels, Queue } from '../../queue.ts'
import { declaredAsUsed } from './declared-as-used.ts'
import { modelOfUse, modelsUsedIn } from './last-used.ts'
import { predict } from './predict.ts'

const NO_HISTORY: History = new Map()

export interface ToWarm {
  /** What to warm, in this order. */
  models: Model[]
  /** The models that are predicted. Undefined if nothing could be predicted. */
  predicted?: Model[]
}

/** What the cache has recorded. */
export interface Recorded {
  /** The last runs of the project, the newest first. */
  lastRuns: RunRecord[]
  entries: () => Promise<Entry[]>
}

/**
 * The models to warm by the option `warm`. `queue` is undefined if the runner does not tell which test files it will run. Then
 * `predicted` warms the declared models and those that the last runs used. `named`: what the queued test files name in their sources.
 */
export async function modelsToWarm(
  { options, history }: Pick<Project, 'options' | 'history'>,
  { lastRuns, entries }: Recorded,
  queue: Queue | undefined,
  named?: ReadonlyMap<string, NamedModels>,
): Promise<ToWarm> {
  if (options.warm === 'none') return { models: [] }
  const lastUsed = lastRuns.flatMap(modelsUsedIn)
  const declared = () => declaredAsUsed(options.models, lastUsed, entries)
  if (options.warm === 'declared') return { models: await declared() }
  if (options.warm === 'all')
    return { models: distinct([...(await declared()), ...lastUsed, ...(history ? allIn(history) : [])]) }
  if (!queue || !(history || named)) return { models: distinct([...(await declared()), ...lastUsed]) }
  const { models, isComplete } = predict({ history: history ?? NO_HISTORY, queue, named, declared: options.models })
  if (!history && models.length === 0) return { models: await declared() }
  const pinned = new Set(options.models.filter(({ pin }) => pin).map(modelKey))
  const predicted = models.map((model) => ({ ...model, pin: pinned.has(modelKey(model)) }))
  const others = isComplete && history ? options.models.filter(neverUsedIn(history)) : await declared()
  return { models: distinct([...predicted, ...others]), predicted }
}

/** Selects the models that no test file was seen to use. Programs that do not report what they read may need them. */
export function neverUsedIn(history: History): (model: Model) => boolean {
  const used = new Set<string>()
  for (const { uses } of history.values()) for (const { repo, revision } of uses) used.add(`${repo}@${revision}`)
  return (model) => !used.has(modelKey(model))
}

function allIn(history: History): Model[] {
  return [...history.values()].flatMap(({ uses }) => uses.flatMap((use) => modelOfUse(use) ?? []))
}

export function distinct(models: Model[]): Model[] {
  const found = new Map<string, Model>()
  for (const model of models) {
    const key = selectedKey(model)
    if (!found.has(key)) found.set(key, model)
  }
  return [...found.values()]
}
