import { ModelCacheError } from '../model/errors.ts'

const INTEGRATION = 'Run with `mode: "integration"` (MODEL_CACHE_MODE=integration)'

/** The error for a provider or a method without a mock. */
export function noMock(asked: string): ModelCacheError {
  return new ModelCacheError({
    code: 'UNIT_MODE',
    asked,
    reason: 'The mode is `unit`, which has no files, and this has no mock.',
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

/** The error for a class of transformers.js without a mock. `mocked`: the classes of models that have one. */
export function noMockOfClass(name: string, model: string, mocked: readonly string[]): ModelCacheError {
  return new ModelCacheError({
    code: 'UNIT_MODE',
    asked: `${name}.from_pretrained("${model}")`,
    reason: 'The mode is `unit`, and this class has no mock.',
    nextStep: `These have one: ${mocked.join(', ')}, the classes of an architecture of the same kinds, tokenizers, processors and configs. ${INTEGRATION}.`,
  })
}

/** The error for a request to the Hub. `asked`: what was to be read, or the request. */
export function noHub(asked: string): ModelCacheError {
  return new ModelCacheError({
    code: 'UNIT_MODE',
    asked,
    reason: 'The mode is `unit`, which sends no request to the Hub.',
    nextStep: `${INTEGRATION}, or mock the function that sends the request. In @huggingface/transformers 3 and 4, pipeline() and from_pretrained() have mocks; the package must not be inlined by Vite, and not be imported before the setup file of vitest-model-cache.`,
  })
}
