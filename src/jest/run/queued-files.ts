import { TEST_SEQUENCER } from '../own-files.ts'
import type { GlobalConfig, QueuedTest } from '../types.ts'

/** The tests that will run. */
export interface QueuedTests {
  /** In the order in which Jest will run them. It is the array that Jest has, so its order can be changed until the tests begin. */
  tests: QueuedTest[]
  /** True if the user's own sequencer decided the order. */
  isOrderOfUser: boolean
}

// On the global object: Jest may load the sequencer and the global setup as different kinds of modules.
const KEY = Symbol.for('vitest-model-cache.jest-queue')

/** Keeps the tests that will run, for the global setup. */
export function keepQueue(queued: QueuedTests): void {
  holder()[KEY] = queued
}

/** Undefined if our sequencer was not asked. */
export function takeQueue({ testSequencer }: GlobalConfig): QueuedTests | undefined {
  const queued = holder()[KEY]
  delete holder()[KEY]
  // The command line may have replaced our sequencer after it was used to list tests.
  return testSequencer === TEST_SEQUENCER ? queued : undefined
}

/** The absolute paths of the test files, by the ids of projects. */
export function filesByProject(tests: QueuedTest[]): Map<unknown, string[]> {
  const files = new Map<unknown, string[]>()
  for (const { path, context } of tests) {
    const ofProject = files.get(context.config.id) ?? []
    ofProject.push(path)
    files.set(context.config.id, ofProject)
  }
  return files
}

function holder(): { [KEY]?: QueuedTests } {
  const global: object = globalThis
  return global
}
