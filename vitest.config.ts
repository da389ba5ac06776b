import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** Rooms whose test files may share a process, which spares some 0.2 s of processor time for each file. */
const SHARED_ROOMS = ['cache', 'cli', 'config', 'fault', 'hub', 'mocks', 'model', 'report', 'serve']
/** What the next test file in the process could notice: replaced modules, timers, variables and globals. */
const LEAVES_TRACES =
  /\bvi\.|process\.(chdir|umask)\(|(process\.env|globalThis)\S* = |(set|defineProperty)\((process|globalThis)/

const sharing = SHARED_ROOMS.flatMap((room) => testFilesIn(join('test', room))).filter(
  (path) => !LEAVES_TRACES.test(readFileSync(join(import.meta.dirname, path), 'utf8')),
)

function testFilesIn(folder: string): string[] {
  const paths = readdirSync(join(import.meta.dirname, folder), { recursive: true, encoding: 'utf8' })
  return paths.filter((path) => path.endsWith('.test.ts')).map((path) => join(folder, path))
}

// Nested runs start whole Vitest processes, each with workers of its own. On a machine that is busy with other work each can
// take a minute: the time limits are for what never ends.
const limits = { testTimeout: 300_000, hookTimeout: 300_000 }

export default defineConfig({
  test: {
    // Once for both projects, which do not extend this.
    globalSetup: ['test/support/global-setup.ts'],
    // More than twice the cores of the usual machine: many tests wait for servers, locks and limits most of their time.
    maxWorkers: 5,
    sequence: { sequencer: WaitingBetween },
    projects: [
      { test: { ...limits, name: 'own process', include: ['test/**/*.test.ts'], exclude: sharing } },
      { test: { ...limits, name: 'shared process', include: sharing, isolate: false } },
    ],
  },
})
