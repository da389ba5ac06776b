import { ModelCacheError } from '../model/errors.ts'

const INTEGRATION = 'Run with `mode: "integration"` (MODEL_CACHE_MODE=integration)'

/** The error for a provider or a method without a mock. */
export function noMock(asked: string): ModelCacheError {
  return new ModelCacheError({
    code: 'UNIT_MODE',
    asked,
    reason: 'The mode is `unit`, in which there are no files, and this has no mock.',
    nextStep: `${INTEGRATION}, or give the provider a \`mock\`.`,
  })
}

/** The error for a pipeline of a task without a mock. `mocked`: the tasks that have one. */
export function noMockOfTask(task: string, mocked: readonly string[]): ModelCacheError {
  return new ModelCacheError({
    code: 'UNIT_MODE',
    asked: `Pipeline "${task}"`,
    reason: 'The mode is `unit`, and this task has no mock.',
    nextStep: `These tasks have one: ${mocked.join(', ')}. ${INTEGRATION}, or register a provider with a \`mock\`.`,
  })
}
