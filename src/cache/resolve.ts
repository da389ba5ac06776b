import { mkdir } from 'node:fs/promises'
import { findToken, withheldToken } from '../config/token.ts'
import { fetchModel, fetchTree, type HubModel } from '../hub/api.ts'
import type { HubAccess } from '../hub/http.ts'
import type { Entry } from '../model/entry.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { describeModel, type Model, modelLabel } from '../model/model.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { Tree } from '../model/tree.ts'
import { adoptRevision } from './adopt-revision.ts'
import type { CacheContext } from './context.ts'
import { resolveOnDisk } from './resolve-on-disk.ts'
import { adoptFormerName, settleName } from './settle-name.ts'
import { writeRef } from './store/refs.ts'
import { readTree, writeTree } from './store/trees.ts'

export interface Resolved {
  /** The id under which it is kept. */
  repo: RepoId
  commit: Commit
  tree: Tree
  /** True when the repo may have more files than the tree says: what a selection comes to is not known for good. */
  isPartial?: boolean
  /** What the Hub said now; undefined when it was not asked, or did not answer. */
  fresh: HubModel | undefined
}

/**
 * The commit and its files: from disk while that is trusted, else from the Hub. A revision that can't be looked up
 * again is served as it was, with a warning. Called under the lock of `held`, so that the Hub is asked once; gives another
 * id when the repo turns out to be kept under that, and has to be resolved under its lock.
 */
export async function resolve(
  context: CacheContext,
  model: Model,
  held: RepoId,
  signal?: AbortSignal,
): Promise<Resolved | RepoId> {
  const known = await resolveOnDisk(context, model)
  const stored = known && (await readTree(context.layout, known.repo, known.commit))
  if (known?.trusted && stored) return { repo: known.repo, commit: known.commit, tree: stored, fresh: undefined }
  // Its listing was lost; what was recorded of its files is enough to verify them.
  if (context.options.offline && known?.entry)
    return { repo: known.repo, commit: known.commit, tree: treeOf(known.entry), isPartial: true, fresh: undefined }
  if (context.options.offline) return resolveElsewhere(context, { ...model, repo: held }, offlineMiss(model))
  try {
    return await resolveAtHub(context, model, held, signal)
  } catch (error) {
    if (!mayServeStale(error)) throw error
    if (!known || !stored) return resolveElsewhere(context, { ...model, repo: held }, error)
    context.warn(
      `${modelLabel(model)}: the Hub could not be asked whether ${model.revision} moved, so the cached commit ${known.commit.slice(0, 7)} is used. ${messageOf(error)}`,
    )
    return { repo: known.repo, commit: known.commit, tree: stored, fresh: undefined }
  }
}

/** Without the Hub: what another cache on this machine knows. Throws `reason` when none knows the model. */
async function resolveElsewhere(context: CacheContext, model: Model, reason: unknown): Promise<Resolved> {
  const adopted = await adoptRevision(context, model)
  if (!adopted) throw reason
  return { ...adopted, repo: model.repo, fresh: undefined }
}

async function resolveAtHub(
  context: CacheContext,
  model: Model,
  held: RepoId,
  signal?: AbortSignal,
): Promise<Resolved | RepoId> {
  const { layout } = context
  const asked = `Model ${describeModel(model)}`
  const hub = await hubAccess(context)
  const { stallMs } = context.options
  const fresh = await fetchModel(hub, { ...model, asked, signal, stallMs })
  const { commit } = fresh
  const repo = await settleName(context, model.repo, held, fresh.repo)
  if (repo !== held) return repo
  await adoptFormerName(context, hub, { repo, commit, signal })
  const tree = await treeAt(context, { repo, commit, asked, signal })
  // The ref comes last, and never without a folder for its commit: scanCacheDir of @huggingface/hub refuses a repo with
  // a ref to a commit that has none.
  await mkdir(layout.snapshot(repo, commit), { recursive: true, mode: 0o700 })
  await writeRef(layout, repo, model.revision, commit)
  return { repo, commit, tree, fresh }
}

/** The files of a commit: as stored, else from the Hub. */
export async function treeAt(
  context: CacheContext,
  { repo, commit, asked, signal }: { repo: RepoId; commit: Commit; asked: string; signal?: AbortSignal },
): Promise<Tree> {
  const stored = await readTree(context.layout, repo, commit)
  if (stored) return stored
  const { stallMs } = context.options
  const tree = await fetchTree(await hubAccess(context), { repo, commit, asked, signal, stallMs })
  await writeTree(context.layout, repo, commit, tree)
  return tree
}

function treeOf({ files }: Entry): Tree {
  return new Map([...files].map(([path, { size, digest }]) => [path, { size, digest, gitId: '' }]))
}

/** The Hub as the options say, with the token that may be sent there. */
export async function hubAccess(context: CacheContext): Promise<HubAccess> {
  const { hub } = context.options
  context.hasAskedHub = true
  const token = await findToken(hub, context.env)
  const withheld = token === undefined ? await withheldToken(hub, context.env) : undefined
  return { endpoint: hub.endpoint, fetch: await context.fetch(), token, withheld }
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
