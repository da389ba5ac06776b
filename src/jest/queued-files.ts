import { TEST_SEQUENCER } from './own-files.ts'
import type { GlobalConfig, QueuedTest } from './types.ts'

// On the global object: Jest may load the sequencer and the global setup as different kinds of modules.
const KEY = Symbol.for('vitest-model-cache.jest-queue')

/** Keeps the tests that will run, for the global setup. Returns them. */
export function keepQueue(tests: QueuedTest[]): QueuedTest[] {
  holder()[KEY] = tests
  return tests
}

/** The absolute paths of the test files that will run, by the ids of projects. Undefined if our sequencer was not asked. */
export function takeQueue({ testSequencer }: GlobalConfig): Map<unknown, string[]> | undefined {
  const tests = holder()[KEY]
  delete holder()[KEY]
  // The command line may have replaced our sequencer after it was used to list tests.
  if (!tests || testSequencer !== TEST_SEQUENCER) return undefined
  const files = new Map<unknown, string[]>()
  for (const { path, context } of tests) {
    const ofProject = files.get(context.config.id) ?? []
    ofProject.push(path)
    files.set(context.config.id, ofProject)
  }
  return files
}

function holder(): { [KEY]?: QueuedTest[] } {
  const global: object = globalThis
  return global
}
