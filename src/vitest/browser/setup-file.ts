// Runs in the browser before each test file. It is the first of `setupFiles`, so it runs before any user code: transformers.js keeps
// the `fetch` that it finds when it is imported.
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
slotOf(globalThis).active = { models: MODELS_IN_A_BROWSER, disposeAll: async () => undefined }

// Without a declared parameter, for the reason in the setup file of the workers.
beforeEach(function () {
  // biome-ignore lint/complexity/noArguments: see above
  const context: TestContext = arguments[0]
  context.models = MODELS_IN_A_BROWSER
})
