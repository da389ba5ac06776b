// Runs in every worker before each test file. Listed first among `setupFiles`, so before any code of the user.
import { afterAll, beforeEach, expect, inject, type TestContext, TestRunner } from 'vitest'
import { measured } from '../platform/own-time.ts'
import { explainTimeout } from '../run/explain-timeout.ts'
import { shareClasses } from '../run/share-classes.ts'
import { openWorker } from '../run/worker.ts'
import { CHANNEL, reportWhenSent, writeFileReport } from './channel.ts'

const worker = measured('setup file', () => {
  // Our environments did so already; one that a docblock or the user's config names did not.
  shareClasses(globalThis)
  return openWorker(inject(CHANNEL))
})
await worker.ready
measured('setup file', () => {
  // With --no-isolate the file before this one was here too. Where it got no `afterAll` its report was sent by now.
  if (worker.openMeta) writeFileReport(worker.openMeta, worker.drain())
  worker.begin(expect.getState().testPath ?? '')
  worker.openMeta = TestRunner.getCurrentSuite().file?.meta
  if (worker.openMeta) reportWhenSent(worker.openMeta, worker.collected)
})

// Without a declared parameter: Vitest reads from the parameters which fixtures a hook wants, and in a suite that has
// fixtures it refuses a hook whose first one is not destructured (@vitest/runner 4.1, getUsedProps). A fixture of the
// user's own that is called `models` wins: it is set after this hook, when a test asks for it.
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

// The first argument has to be destructured: Vitest reads from it which fixtures a hook wants.
// biome-ignore lint/correctness/noEmptyPattern: see above
afterAll(({}, suite) => {
  for (const task of [suite.file, ...suite.tasks]) explain(task)
  // A delta: with --no-isolate the next file in this worker counts from zero again.
  writeFileReport(suite.file.meta, worker.drain())
  worker.openMeta = undefined
})
