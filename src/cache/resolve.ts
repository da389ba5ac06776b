import { mkdir } from 'node:fs/promises'
import { findToken } from '../config/token.ts'
import { fetchModel, fetchTree, type HubModel } from '../hub/api.ts'
import type { HubAccess } from '../hub/http.ts'
import { type Entry, entryKey } from '../model/entry.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { describeModel, type Model, modelLabel } from '../model/model.ts'
import type { Commit } from '../model/revision.ts'
import type { Tree } from '../model/tree.ts'
import type { CacheContext } from './context.ts'
import { readRef, writeRef } from './store/refs.ts'
import { readTree, writeTree } from './store/trees.ts'

/** What is known of a model without the network. */
export interface Known {
  commit: Commit
  /** False when the revision was last looked up longer than `maxAge` ago, and may have moved. */
  trusted: boolean
  entry: Entry | undefined
}

export interface Resolved {
  commit: Commit
  tree: Tree
  /** What the Hub said now; undefined when it was not asked, or did not answer. */
  fresh: HubModel | undefined
}

export async function resolveOnDisk(context: CacheContext, model: Model): Promise<Known | undefined> {
  const ref = await readRef(context.layout, model.repo, model.revision)
  if (!ref) return undefined
  const metadata = await context.metadata()
  return {
    commit: ref.commit,
    trusted: context.options.offline || ref.ageMs <= context.options.maxAge,
    entry: await metadata.find(entryKey({ repo: model.repo, commit: ref.commit })),
  }
}

/**
 * The commit and its files: from disk while that is trusted, else from the Hub. A revision that can't be looked up
 * again is served as it was, with a warning. Called under the repo's lock, so that the Hub is asked once.
 */
export async function resolve(context: CacheContext, model: Model, signal?: AbortSignal): Promise<Resolved> {
  const known = await resolveOnDisk(context, model)
  const stored = known && (await readTree(context.layout, model.repo, known.commit))
  if (known?.trusted && stored) return { commit: known.commit, tree: stored, fresh: undefined }
  if (context.options.offline) throw offlineMiss(model)
  try {
    return await resolveAtHub(context, model, signal)
  } catch (error) {
    if (!known || !stored || !mayServeStale(error)) throw error
    context.warn(
      `${modelLabel(model)}: the Hub could not be asked whether ${model.revision} moved, so the cached commit ${known.commit.slice(0, 7)} is used. ${messageOf(error)}`,
    )
    return { commit: known.commit, tree: stored, fresh: undefined }
  }
}

async function resolveAtHub(context: CacheContext, model: Model, signal?: AbortSignal): Promise<Resolved> {
  const { layout } = context
  const asked = `Model ${describeModel(model)}`
  const hub = await hubAccess(context)
  const fresh = await fetchModel(hub, { ...model, asked, signal })
  const { commit } = fresh
  const stored = await readTree(layout, model.repo, commit)
  const tree = stored ?? (await fetchTree(hub, { repo: model.repo, commit, asked, signal }))
  if (!stored) await writeTree(layout, model.repo, commit, tree)
  // The ref comes last, and never without a folder for its commit: scanCacheDir of @huggingface/hub refuses a repo with
  // a ref to a commit that has none.
  await mkdir(layout.snapshot(model.repo, commit), { recursive: true, mode: 0o700 })
  await writeRef(layout, model.repo, model.revision, commit)
  return { commit, tree, fresh }
}

/** The Hub as the options say, with the token that may be sent there. */
export async function hubAccess(context: CacheContext): Promise<HubAccess> {
  const { hub } = context.options
  return { endpoint: hub.endpoint, fetch: context.fetch, token: await findToken(hub, context.env) }
}

/** The error of a model that is not cached while the network may not be used. */
export function offlineMiss(model: Model): ModelCacheError {
  return new ModelCacheError({
    code: 'OFFLINE',
    asked: `Model ${describeModel(model)}`,
    reason: 'It is not in the cache, and the cache is offline.',
    nextStep: `Bring it in while online: \`npx vitest-model-cache warm ${modelLabel(model)}\`.`,
  })
}

/** "Gone" and "forbidden" are answers; only silence and trouble at the Hub let an old answer stand. */
function mayServeStale(error: unknown): boolean {
  return error instanceof ModelCacheError && (error.code === 'HUB_UNREACHABLE' || error.code === 'HUB_ERROR')
}
