import { ModelCacheError } from '../../model/errors.ts'

const AGAIN = 'Make the archive again with `npx vitest-model-cache export`, and copy it again.'
export const NAME_ONE = 'Name a file that `npx vitest-model-cache export` wrote.'

/** The error of an archive that is not taken. `name` is its path, or what it was read from. */
export function refused(name: string, reason: string, nextStep = AGAIN, cause?: unknown): ModelCacheError {
  return new ModelCacheError({ code: 'ARCHIVE_REFUSED', asked: `Archive ${name}`, reason, nextStep, cause })
}
