import { ModelCacheError } from '../model/errors.ts'

/** The error of `models` in a test file whose project has our environment without our global setup. */
export function notSetUp(): ModelCacheError {
  return new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: 'The global `models`',
    reason: 'The global setup of vitest-model-cache did not run for this project.',
    nextStep:
      'Wrap the config: withModelCache({ ... }). With the preset, a `globalSetup` of your own replaces that of the preset.',
  })
}
