import { ModelCacheError } from '../../model/errors.ts'
import type { Models } from '../../providers/models.ts'

function unavailable(method: string): ModelCacheError {
  return new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: `models.${method}() in a browser`,
    reason: 'What `models` gives are files and runtimes of Node.js.',
    nextStep: 'Call pipeline() of @huggingface/transformers, or fetch(), themselves: both are answered from the cache.',
  })
}

function refuse(method: string) {
  return async (): Promise<never> => {
    throw unavailable(method)
  }
}

/** What a test in a browser gets as `models`: every method says that it is of no use there, and what is. */
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
