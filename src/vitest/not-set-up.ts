import { ModelCacheError } from '../model/errors.ts'

/** The error of a test file whose project has our setup file without our global setup. */
export function notSetUp(): ModelCacheError {
  return new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: 'vitest-model-cache/setup-file',
    reason: 'The global setup of the package did not run for this project.',
    nextStep: 'Use the plugin modelCache(), or add `vitest-model-cache/global-setup` to `globalSetup`.',
  })
}
