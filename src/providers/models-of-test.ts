import { ModelCacheError } from '../model/errors.ts'
import type { Models } from './models.ts'
import { slotOf } from './slot.ts'

/** The same `models` as in the test context, for `beforeAll` and helpers. Throws `NOT_SET_UP` outside of a test run. */
export const models: Models = {
  pipeline: (...request) => active().pipeline(...request),
  transcriber: (...request) => active().transcriber(...request),
  session: (...request) => active().session(...request),
  path: (...request) => active().path(...request),
  file: (...request) => active().file(...request),
  provider: (name: string) => active().provider(name) as never,
}

function active(): Models {
  const { active } = slotOf(globalThis)
  if (active) return active.models
  throw new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: '`models`',
    reason: 'No test run set it up in this process.',
    nextStep:
      'Add modelCache() to `plugins` in vitest.config.ts, or wrap jest.config.js in withModelCache(), and use `models` in tests only.',
  })
}
