import { ModelCacheError } from '../../model/errors.ts'
import type { Models } from '../../providers/models.ts'

function unavailable(method: string): ModelCacheError {
  return new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: `models.${method}() in a browser`,
    reason: '`models` gives files and runtimes of Node.js.',
    nextStep: 'Call pipeline() of @huggingface/transformers or fetch() instead: both are answered from the cache.',
  })
}

function refuse(method: string) {
  return async (): Promise<never> => {
    throw unavailable(method)
  }
}

/** The `models` of a test in a browser. Each method throws an error that says what to call instead. */
export const MODELS_IN_A_BROWSER: Models = {
  pipeline: refuse('pipeline'),
  transcriber: refuse('transcriber'),
  session: refuse('session'),
  path: refuse('path'),
  file: refuse('file'),
  provider: (): never => {
    throw unavailable('provider')
  },
}
