import { ModelCacheError } from '../../model/errors.ts'

/** The global `models` of a test file that has our environment without our settings. To use it throws `NOT_SET_UP`. */
export function modelsNotSetUp(): object {
  return new Proxy(
    {},
    {
      get(_, name) {
        if (typeof name === 'symbol') return undefined
        throw notSetUp()
      },
    },
  )
}

function notSetUp(): ModelCacheError {
  return new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: 'The global `models`',
    reason: 'The global setup of vitest-model-cache did not run for this project, or it failed: then it printed why.',
    nextStep:
      'Wrap the config: withModelCache({ ... }). With the preset, a `globalSetup` of your own replaces that of the preset.',
  })
}
