import { selectedKey } from '../../../model/model.ts'
import { NO_FILE, useKey } from '../../history.ts'
import type { Project } from '../../project.ts'
import type { Queue } from '../../queue.ts'
import { neverUsedIn } from '../choice/models-to-warm.ts'
import { neededBy } from '../choice/predict.ts'

/** What the queued test files wait for, while models are on their way. Models are named by `selectedKey`. */
export interface Needs {
  queue: Queue
  /** The models on the way that a test file will probably request. All of them if its history is not known. */
  waitsOf(testFile: string, onTheWay: string[]): string[]
  /** True if a test file can begin that waits for none of the models on the way. */
  letBegin(onTheWay: string[]): boolean
}

/** Undefined if all test files wait for all models: there is no prediction. */
export function needsOf({ options, history, named }: Project, queue: Queue | undefined): Needs | undefined {
  if (options.warm !== 'predicted' || !history || !queue) return undefined
  const keysOf = (testFile: string) => {
    const needed = neededBy(testFile, { history, queue, named, declared: options.models })
    return needed.isKnown ? new Set([...needed.uses.map(useKey), ...needed.named.map(selectedKey)]) : undefined
  }
  const waitsOf = (testFile: string, onTheWay: string[]) => {
    const keys = keysOf(testFile)
    return keys ? onTheWay.filter((key) => keys.has(key)) : onTheWay
  }
  // Nobody says which test file these belong to: a global setup, or a program that does not report what it reads.
  const unattributed = new Set(options.models.filter(neverUsedIn(history)).map(selectedKey))
  return {
    queue,
    waitsOf,
    letBegin: (onTheWay) =>
      !onTheWay.some((key) => unattributed.has(key)) &&
      waitsOf(NO_FILE, onTheWay).length === 0 &&
      queue.files.some((testFile) => waitsOf(testFile, onTheWay).length === 0),
  }
}
