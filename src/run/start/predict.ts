import { type Model, modelKey } from '../../model/model.ts'
import { selectionKey } from '../../model/selection.ts'
import { type History, historyKey, NO_FILE } from '../history.ts'
import { modelOfUse } from './last-used.ts'

/** The tests that a run is about to run. */
export interface Queue {
  /** The test files, relative to the project's root. */
  files: string[]
  /** Only tests with such names run. */
  testNamePattern?: string
}

/** The models that the queued test files will request, as far as that can be known. */
export interface Prediction {
  /** The models that earlier runs of these test files used, or that the files name. The smallest is first. */
  needed: Model[]
  /** True if the history of all queued test files is known. Otherwise they may request further models. */
  isComplete: boolean
}

interface PredictionInput {
  history: History
  queue: Queue
  /** The models that a test file names in its source, for files whose source was read in whole. */
  named?: ReadonlyMap<string, Model[]>
}

/** Predicts from the history and from the sources of the test files what a run will request. Pure. */
export function predict({ history, queue, named }: PredictionInput): Prediction {
  const found = new Map<string, { model: Model; bytes: number }>()
  const add = (model: Model | undefined, bytes: number) => {
    if (!model) return
    const key = `${modelKey(model)} ${selectionKey(model.selection)}`
    if (!found.has(key)) found.set(key, { model, bytes })
  }
  let isComplete = true
  for (const testFile of [NO_FILE, ...queue.files]) {
    const known = history.get(historyKey(testFile, queue.testNamePattern)) ?? history.get(testFile)
    for (const use of known?.uses ?? []) add(modelOfUse(use), use.bytes)
    const names = named?.get(testFile)
    for (const model of names ?? []) add(model, Infinity)
    if (testFile !== NO_FILE && !known?.isWhole && !names) isComplete = false
  }
  const smallestFirst = [...found.values()].sort((a, b) => (a.bytes < b.bytes ? -1 : a.bytes > b.bytes ? 1 : 0))
  return { needed: smallestFirst.map(({ model }) => model), isComplete }
}
