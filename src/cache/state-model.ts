import { fetchModel, fetchTree } from '../hub/api.ts'
import type { LockedModel } from '../model/lock-file.ts'
import { describeModel, type Model } from '../model/model.ts'
import type { Commit } from '../model/revision.ts'
import { snapshotOf } from '../model/snapshot.ts'
import type { CacheContext } from './context/context.ts'
import { hubAccess, offlineMiss } from './intake/resolve.ts'
import { resolveOnDisk } from './lookup/resolve-on-disk.ts'
import { storedTree } from './lookup/stored-answers.ts'
import { readRepoInfo } from './store/answers/repo-info.ts'

export interface StateOptions {
  /** The commit that the revision stands for. Default: what the stored answers say, else what the endpoint says now. */
  commit?: Commit
  /** True: the endpoint is asked in any case. */
  isNewest?: boolean
  signal?: AbortSignal
}

/**
 * What our endpoint states about a model: by its stored answers while they are trusted, else it is asked. Stores nothing. The options
 * of the cache must name no lock file. Throws as a lookup does.
 */
export async function stateModel(
  context: CacheContext,
  { repo, revision }: Pick<Model, 'repo' | 'revision'>,
  { commit, isNewest = false, signal }: StateOptions = {},
): Promise<LockedModel> {
  const model = { repo, revision: commit ?? revision, selection: {}, pin: false }
  const stored = isNewest ? undefined : await storedStatement(context, model)
  const { id, ...stated } = stored ?? (await askedStatement(context, model, signal))
  return { repo, id, revision, endpoint: context.origin.endpoint, ...stated }
}

type Statement = Omit<LockedModel, 'repo' | 'revision' | 'endpoint'>

async function storedStatement(context: CacheContext, model: Model): Promise<Statement | undefined> {
  const known = await resolveOnDisk(context, model)
  if (!known?.trusted) return undefined
  const { repo, commit, received } = known
  // What others may have written is not written into a file that others trust.
  if (!received && (await context.whoElseWrites({ repo, snapshot: snapshotOf(commit) }))) return undefined
  const tree = received?.tree ?? (await storedTree(context, repo, commit))
  const info = received?.info ?? readRepoInfo(context.origin, repo, commit)
  if (!tree || !info || info.access === 'unknown') return undefined
  return { id: repo, commit, ...info, files: tree }
}

async function askedStatement(context: CacheContext, model: Model, signal?: AbortSignal): Promise<Statement> {
  if (context.options.offline) throw offlineMiss(model)
  const asked = `Model ${describeModel(model)}`
  const { stallMs } = context.options
  const hub = await hubAccess(context)
  const { repo: id, commit, access, task } = await fetchModel(hub, { ...model, asked, signal, stallMs })
  const isShared = await context.whoElseWrites({ repo: id, snapshot: snapshotOf(commit) })
  const stored = isShared ? undefined : await storedTree(context, id, commit)
  const files = stored ?? (await fetchTree(hub, { repo: id, commit, asked, signal, stallMs }))
  return { id, commit, access, task, files }
}
