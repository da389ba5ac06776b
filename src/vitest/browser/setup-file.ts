// Runs in the browser before each test file. Listed first among `setupFiles`, so before any code of the user: transformers.js
// keeps the `fetch` that it finds when it is imported.
import { beforeEach, expect, inject, type TestContext } from 'vitest'
import { ModelCacheError } from '../../model/errors.ts'
import { slotOf } from '../../providers/slot.ts'
import { BROWSER_CHANNEL } from './channel.ts'
import { serveFromMiddleware } from './serve.ts'
import { MODELS_IN_A_BROWSER } from './unavailable-models.ts'

const provided = inject(BROWSER_CHANNEL)
if (!provided)
  throw new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: 'vitest-model-cache in a browser',
    reason: 'The global setup of the package did not run for this project.',
    nextStep: 'Use the plugin modelCache(): browser mode can not be wired by hand.',
  })
serveFromMiddleware(provided, expect.getState().testPath ?? '')
slotOf(globalThis).active = {
  runId: provided.address,
  models: MODELS_IN_A_BROWSER,
  begin: () => undefined,
  underWay: () => [],
  collected: () => ({ requests: [], errors: [] }),
  drain: () => ({ requests: [], errors: [] }),
  // The main process answers, and counts what failed.
  ...{ running: new Set<string>(), timedOut: () => undefined, manifest: { models: [], failures: [] } },
  disposeAll: async () => undefined,
}

// Without a declared parameter, as in the setup file of the workers: Vitest reads from it which fixtures a hook wants.
beforeEach(function () {
  // biome-ignore lint/complexity/noArguments: see above
  const context: TestContext = arguments[0]
  context.models = MODELS_IN_A_BROWSER
})
