import { ModelCacheError } from '../../model/errors.ts'
import type { LockedModel } from '../../model/lock-file.ts'
import type { Model } from '../../model/model.ts'
import type { CacheContext } from '../context/context.ts'
import { answerOfRemote } from '../intake/answer-of-remote.ts'
import { withReason } from '../intake/resolve.ts'
import { requireLocked } from '../lookup/locked.ts'
import { currentRepoId } from '../lookup/stored-answers.ts'
import { stateModel } from '../state-model.ts'

/** What is stated of a model. `id`: the id under which the cache stores the repo. */
export type StatedModel = Pick<LockedModel, 'id' | 'commit' | 'task' | 'files'>

/**
 * What the lock file states of a model, else the endpoint, else a signed answer of the remote. Stores nothing. Throws as a lookup of the
 * model does.
 */
export async function statedModel(context: CacheContext, model: Model, signal?: AbortSignal): Promise<StatedModel> {
  const { repo } = await currentRepoId(context, model.repo)
  const locked = requireLocked(context, model, repo)
  if (locked) return locked
  try {
    return await stateModel(context, model, { signal })
  } catch (error) {
    const signed = isWithoutAnswer(error) ? await answerOfRemote(context, model, signal) : undefined
    if (!signed) throw error
    if ('why' in signed) throw withReason(error, signed.why)
    const { repo: id, ...listing } = signed.listing
    return { id, ...listing }
  }
}

function isWithoutAnswer(error: unknown): boolean {
  return error instanceof ModelCacheError && ['HUB_UNREACHABLE', 'HUB_ERROR', 'OFFLINE'].includes(error.code)
}
