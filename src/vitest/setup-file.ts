// Runs in every worker before each test file. It is the first of `setupFiles`, so it runs before any user code.
import { afterAll, beforeEach, expect, inject, type TestContext, TestRunner } from 'vitest'
import { counted } from '../platform/own-time.ts'
import { loadedPreload } from '../run/preload.ts'
import { shareClasses } from '../run/worker/share-classes.ts'
import { openWorker } from '../run/worker/worker.ts'
import { CHANNEL, reportWhenSent, writeFileReport } from './channel.ts'
import { disposeAtEnd } from './dispose-at-end.ts'
import { explainTimeout } from './explain-timeout.ts'
import { notSetUp } from './not-set-up.ts'

const worker = counted('setup file', () => {
  // Our environments did this already. Custom environments, and environments that a docblock names, did not.
  shareClasses(globalThis)
  const settings = inject(CHANNEL)
  if (!settings) throw notSetUp()
  disposeAtEnd(globalThis)
  return openWorker(settings, globalThis)
})
await worker.ready
await worker.awaitModels(expect.getState().testPath ?? '')
counted('setup file', () => {
  const meta = TestRunner.getCurrentSuite().file?.meta
  // With --no-isolate this worker has run other test files. If the file before got no `afterAll`, Vitest has sent its meta by now.
  worker.begin(expect.getState().testPath ?? '', meta && ((report) => writeFileReport(meta, report)))
  if (meta) reportWhenSent(meta, () => worker.collected())
})

// Without a declared parameter: Vitest reads from the parameters which fixtures a hook wants. In a suite that has fixtures, Vitest
// refuses a hook whose first parameter is not destructured (@vitest/runner 4.1, getUsedProps). A user's own fixture with the name
// `models` is used instead of ours: Vitest sets it after this hook, when a test asks for it.
beforeEach(function () {
  // biome-ignore lint/complexity/noArguments: see above
  const context: TestContext = arguments[0]
  context.models = worker.models
  const { id } = context.task
  worker.running.add(id)
  context.onTestFinished(() => void worker.running.delete(id))
  context.onTestFailed(({ task }) => explain(task, id))
})

function explain(task: Parameters<typeof explainTimeout>[0], test?: string): void {
  const downloads = [...worker.underWay()]
  if (explainTimeout(task, downloads, worker.manifest)) for (const each of downloads) worker.timedOut(each, test)
}

// The first parameter has to be destructured: Vitest reads from it which fixtures a hook wants.
// biome-ignore lint/correctness/noEmptyPattern: see above
afterAll(({}, suite) => {
  for (const task of [suite.file, ...suite.tasks]) explain(task)
  // Node.js writes compiled code when a process ends by itself. But Vitest 4 kills a forked worker.
  counted('compiled code', () => loadedPreload()?.keepCompiledCode())
  writeFileReport(suite.file.meta, worker.end())
})
