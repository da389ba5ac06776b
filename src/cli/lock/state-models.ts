import pLimit from 'p-limit'
import type { ModelCache } from '../../cache/model-cache.ts'
import { ModelCacheError } from '../../model/errors.ts'
import type { LockedModel } from '../../model/lock-file.ts'
import { interrupted } from '../interruption.ts'
import { type Change, changeOf } from './changes.ts'
import { isIn, type Wanted } from './wanted-models.ts'

// The Hub is asked for this many models at a time.
const AT_ONCE = 4

export interface Failure {
  model: Wanted
  error: ModelCacheError
}

/**
 * Looks up what the endpoint states about models. A model of `own`, the present lock file, is not looked up again, unless `isUpdate`
 * says so.
 */
export async function stateModels(
  cache: ModelCache,
  models: Wanted[],
  own: LockedModel[],
  isUpdate: boolean,
): Promise<{ changes: Change[]; failures: Failure[] }> {
  const changes: Change[] = []
  const failures: Failure[] = []
  const work = async (model: Wanted) => {
    const before = own.find((locked) => isIn(locked, [model]))
    try {
      changes.push(changeOf(before, before && !isUpdate ? before : await stateOf(cache, model, isUpdate)))
    } catch (error) {
      if (!(error instanceof ModelCacheError)) throw error
      failures.push({ model, error })
    }
  }
  const limit = pLimit(AT_ONCE)
  await Promise.all(models.map((model) => limit(work, model)))
  return { changes, failures }
}

async function stateOf(cache: ModelCache, { commit, ...model }: Wanted, isNewest: boolean): Promise<LockedModel> {
  const options = { isNewest, signal: interrupted }
  if (isNewest || commit === undefined) return cache.state(model, options)
  try {
    return await cache.state(model, { ...options, commit })
  } catch (error) {
    // The Hub no longer has the commit that the runs used.
    if (error instanceof ModelCacheError && error.code === 'REVISION_NOT_FOUND') return cache.state(model, options)
    throw error
  }
}
