import { type Model, selectedKey } from '../../../model/model.ts'
import { type History, type KnownUse, knownOf, NO_FILE, useKey } from '../../history.ts'
import type { NamedModels, Queue } from '../../queue.ts'
import { modelOfUse } from './last-used.ts'

/** The models that the queued test files will request, as far as that can be known. */
interface Prediction {
  /** The models that earlier runs of these test files used, and those that the files name. The smallest is first. */
  models: Model[]
  /** True if all models of the queued test files are known. Otherwise they may request further models. */
  isComplete: boolean
}

/** What is known before a run about the models of its test files. */
export interface KnownBefore {
  history: History
  queue: Queue
  /** What the test files name in their sources, by test file. */
  named?: ReadonlyMap<string, NamedModels>
  /** The declared models. */
  declared?: Model[]
}

/** Predicts what a run will request. Pure. */
export function predict(known: KnownBefore): Prediction {
  const found = new Map<string, { model: Model; bytes: number }>()
  const added = new Map<string, Model>()
  let isComplete = true
  for (const testFile of [NO_FILE, ...known.queue.files]) {
    const { uses, named, isKnown } = neededBy(testFile, known)
    if (!isKnown) isComplete = false
    for (const use of uses) {
      const model = found.has(useKey(use)) ? undefined : modelOfUse(use)
      if (model) found.set(useKey(use), { model, bytes: use.bytes })
    }
    for (const model of named) added.set(selectedKey(model), model)
  }
  const sizes = sizesIn(known.history)
  // The size of a model that was never used is not known.
  for (const [key, model] of added)
    if (!found.has(key)) found.set(key, { model, bytes: sizes.get(key) ?? Number.MAX_VALUE })
  const smallestFirst = [...found.values()].sort((a, b) => a.bytes - b.bytes)
  return { models: smallestFirst.map(({ model }) => model), isComplete }
}

/** What one test file will request. */
interface Needed {
  /** What earlier runs of the file used. */
  uses: KnownUse[]
  /** The models that the file names. Empty if it named the same when it ran in whole: then it needs what it used. */
  named: Model[]
  /** False if the file may request further models. */
  isKnown: boolean
}

/** The models that a test file will request, as far as that can be known. */
export function neededBy(testFile: string, { history, queue, named, declared = [] }: KnownBefore): Needed {
  const known = knownOf(history, testFile, queue.testNamePattern)
  const uses = known?.uses ?? []
  const isWhole = testFile === NO_FILE || known?.isWhole === true
  const names = named?.get(testFile)
  if (!names || (isWhole && known?.sources === names.digest)) return { uses, named: [], isKnown: isWhole }
  const models = [...names.models, ...names.ids.flatMap((id) => modelsOfId(id, declared, history))]
  return { uses, named: models, isKnown: isWhole && names.isWhole }
}

function sizesIn(history: History): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const { uses } of history.values()) for (const use of uses) sizes.set(useKey(use), use.bytes)
  return sizes
}

/** The known models that a text may mean: the declared ones, else those that any test file used. */
function modelsOfId(id: string, declared: Model[], history: History): Model[] {
  const [repo, revision] = id.split('@', 2)
  const isMeant = (model: { repo: string; revision: string }) =>
    model.repo === repo && (revision === undefined || model.revision === revision)
  const meant = declared.filter(isMeant)
  if (meant.length > 0) return meant
  const uses = [...history.values()].flatMap((known) => known.uses.filter(isMeant))
  return uses.flatMap((use) => modelOfUse(use) ?? [])
}
