import type { Entry } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type Model, modelLabel } from '../model/model.ts'
import type { CacheContext } from './context.ts'
import { readRef } from './store/refs.ts'
import { readHome } from './store/renames.ts'

/** The entries that names mean: all of a repo, or the one at a revision. Throws `MODEL_NOT_FOUND` for the first unknown. */
export async function findEntries(context: CacheContext, models: Model[]): Promise<Entry[]> {
  const metadata = await context.metadata()
  const all = [...(await metadata.all()).values()]
  const found = await Promise.all(models.map((model) => findOne(context, model, all)))
  return [...new Set(found.flat())]
}

async function findOne(context: CacheContext, model: Model, all: Entry[]): Promise<Entry[]> {
  const home = await readHome(context.layout, model.repo)
  // What came by an old name, and could not move to the new one, still has it.
  const ofRepo = all.filter(({ repo }) => repo === model.repo || repo === home.repo)
  const ref = model.revision === 'main' ? undefined : await readRef(context.layout, home.repo, model.revision)
  const found = model.revision === 'main' ? ofRepo : ofRepo.filter(({ commit }) => commit === ref?.commit)
  if (found.length > 0) return found
  throw new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: `Model ${modelLabel(model)}`,
    reason: `It is not in the cache ${context.layout.directory}.`,
    nextStep: 'See `npx vitest-model-cache ls` for what is there.',
  })
}
