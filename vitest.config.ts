import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Short files whose tests last long, and mostly wait. By its size each would start late, and might run alone at the end. */
const WAITING = [
  'test/cache/store/locks/lock-elsewhere.test.ts',
  'test/vitest/interrupt.test.ts',
  'test/fault/peers.test.ts',
  'test/vitest/timeouts.test.ts',
  'test/fault/fuzz-locks.test.ts',
  'test/cli/interrupt.test.ts',
]

/** Starts one of these files after each four others, so that it waits while the others work. */
class WaitingBetween extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(specifications)
    const isWaiting = ({ moduleId }: TestSpecification) => WAITING.some((path) => moduleId.endsWith(path))
    const waiting = sorted.filter(isWaiting)
    const others = sorted.filter((specification) => !isWaiting(specification))
    for (const [index, specification] of waiting.entries()) others.splice(index * 5, 0, specification)
    return others
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Nested runs start whole Vitest processes, each with workers of its own. On a machine that is busy with other work each can
    // take a minute: the time limits are for what never ends.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // More than twice the cores of the usual machine: many tests wait for servers, locks and limits most of their time.
    maxWorkers: 5,
    sequence: { sequencer: WaitingBetween },
  },
})
