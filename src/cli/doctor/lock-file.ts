import { relative } from 'node:path'
import process from 'node:process'
import { readLockFile } from '../../config/lock-file.ts'
import type { Options } from '../../config/options.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type Model, modelLabel } from '../../model/model.ts'
import { count } from '../../report/words.ts'
import { type Check, fail, ok, warn } from './check.ts'

const NAME = 'lock file'
const LOCK = 'Run `npx vitest-model-cache lock` and commit the file.'

/** Checks that the lock file can be read, and that it has the declared models. */
export function checkLock({ lockfile, frozen, hub }: Options, declared: Model[]): Check {
  if (lockfile === undefined && !frozen) return ok(NAME, 'none is used: the option `lockfile` is false')
  try {
    const file = lockfile === undefined ? undefined : readLockFile(lockfile)
    if (!file && frozen) return fail(NAME, 'there is none, and the cache is frozen: every model is refused', LOCK)
    if (!file || lockfile === undefined)
      return ok(NAME, 'none; `npx vitest-model-cache lock` pins models at their commits')
    const models = file.models.filter(({ endpoint }) => endpoint === hub.endpoint)
    const missing = declared.filter(
      (model) => !models.some(({ repo, revision }) => repo === model.repo && revision === model.revision),
    )
    const text = `${relative(process.cwd(), lockfile)}: ${count(models.length, 'model')} for ${hub.endpoint}`
    if (missing.length === 0) return ok(NAME, `${text}${frozen ? ', frozen' : ''}`)
    const names = [...new Set(missing.map(modelLabel))].join(', ')
    return (frozen ? fail : warn)(NAME, `${text}; it lacks ${names}`, LOCK)
  } catch (error) {
    if (error instanceof ModelCacheError) return fail(NAME, `${error.asked}: ${error.reason}`, error.nextStep)
    throw error
  }
}
