import type { Model } from '../../model/model.ts'
import { type History, type KnownUse, knownOf, NO_FILE, useKey } from '../history.ts'
import type { Queue } from '../queue.ts'
import { modelOfUse } from './last-used.ts'

/** The models that the queued test files will request, as far as that can be known. */
interface Prediction {
  /** The models that earlier runs of these test files used. The smallest is first. */
  models: Model[]
  /** True if the history of all queued test files is known. Otherwise they may request further models. */
  isComplete: boolean
}

/** Predicts from the history what a run will request. Pure. */
export function predict({ history, queue }: { history: History; queue: Queue }): Prediction {
  const found = new Map<string, KnownUse>()
  let isComplete = true
  for (const testFile of [NO_FILE, ...queue.files]) {
    const known = knownOf(history, testFile, queue.testNamePattern)
    for (const use of known?.uses ?? []) if (!found.has(useKey(use))) found.set(useKey(use), use)
    if (testFile !== NO_FILE && !known?.isWhole) isComplete = false
  }
  const smallestFirst = [...found.values()].sort((a, b) => a.bytes - b.bytes)
  return { models: smallestFirst.flatMap((use) => modelOfUse(use) ?? []), isComplete }
}
