import type { Entry } from '../model/entry.ts'
import { type Model, type ModelSpec, toModel } from '../model/model.ts'
import type { CacheContext } from './context/context.ts'

/** A model or an entry, as callers of the cache name it. */
export type Named = ModelSpec | Model | Entry

/** The entries of these models, or all entries. Throws `MODEL_NOT_FOUND` for the first model that has no entry. */
export async function namedEntries(context: CacheContext, models: Named[] | undefined): Promise<Entry[]> {
  if (context.refusal) throw context.refusal
  if (!models) {
    const { listEntries } = await import('./lookup/list-entries.ts')
    return listEntries(context)
  }
  const { findEntries } = await import('./find.ts')
  return findEntries(context, models.map(modelOrEntry))
}

export function modelOrEntry(model: Named): Model | Entry {
  return typeof model === 'object' && model !== null && 'commit' in model ? model : toModel(model)
}
