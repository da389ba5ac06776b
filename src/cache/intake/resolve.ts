import { findToken, withheldToken } from '../../config/token.ts'
import { fetchModel, fetchTree } from '../../hub/api.ts'
import type { HubAccess } from '../../hub/http.ts'
import type { Entry } from '../../model/entry.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { describeModel, type Model, modelKey, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import type { Commit } from '../../model/revision.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import type { Tree } from '../../model/tree.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { migrateEntry } from '../lookup/migrate-entry.ts'
import { type Known, resolveOnDisk } from '../lookup/resolve-on-disk.ts'
import { currentRepoId, storedTree } from '../lookup/stored-answers.ts'
import { warnOfSharedFolder } from '../lookup/warn-of-shared-folder.ts'
import { readRef } from '../store/refs.ts'
import { type RepoInfo, readRepoInfo } from '../store/repo-info.ts'
import { readTree, writeTree } from '../store/trees.ts'
import { adoptRevision } from './adopt-revision.ts'
import { keepAnswer } from './keep-answer.ts'
import { adoptFormerName, settleName } from './settle-name.ts'
import { findStranger, type Place, settleSnapshot } from './settle-snapshot.ts'
import { writeHubRef } from './write-hub-ref.ts'

/** What a model is by the words of one endpoint. */
interface Answer {
  /** The id under which it is kept. */
  repo: RepoId
  commit: Commit
  tree: Tree
  /** True when the repo may have more files than the tree says: what a selection comes to is not known for good. */
  isPartial?: boolean
  /** Whose words these are; undefined where that is not known, and only blob names say what the files must hash to. */
  endpoint: string | undefined
  /** Undefined when it is not known. */
  info: RepoInfo | undefined
  /** Why the Hub was not asked, where it should have been. */
  failure?: unknown
}

export type Resolved = Answer & Place

interface ResolveOptions extends Pick<HubAccess, 'onWait'> {
  signal?: AbortSignal
}

/**
 * The commit, its files and where they go: from disk while that is trusted, else from the Hub. A revision that can't be
 * looked up again is served as it was, with a warning. Called under the lock of `held`, so that the Hub is asked once;
 * gives another id when the repo turns out to be kept under that, and has to be resolved under its lock.
 */
export async function resolve(
  context: CacheContext,
  model: Model,
  held: RepoId,
  options: ResolveOptions = {},
): Promise<Resolved | RepoId> {
  const answer = await findAnswer(context, model, held, options)
  return typeof answer === 'string' ? answer : { ...answer, ...(await settleSnapshot(context, answer)) }
}

async function findAnswer(
  context: CacheContext,
  model: Model,
  held: RepoId,
  options: ResolveOptions,
): Promise<Answer | RepoId> {
  const known = await resolveOnDisk(context, model)
  if (context.options.offline) return withoutHub(context, { ...model, repo: held }, known, offlineMiss(model))
  const stored = known?.trusted ? await storedAnswer(context, known) : undefined
  if (stored && !stored.isPartial) return stored
  try {
    return await askHub(context, model, held, options)
  } catch (error) {
    const isCertain = known?.lacksAccess && error instanceof ModelCacheError
    if (!isCertain && !mayServeStale(error)) throw error
    const answer = await withoutHub(context, { ...model, repo: held }, known, error)
    if (isCertain) context.failedAccessChecks.add(`${known.repo}@${known.commit}`)
    else tellStale(context, model, answer, error)
    await warnOfSharedFolder(context, { repo: answer.repo, snapshot: snapshotOf(answer.commit) }, 'unchecked')
    return answer
  }
}

/** The words of our endpoint as stored, else what is recorded of its files: that is enough to verify them. */
async function storedAnswer(
  context: CacheContext,
  { repo, commit, entry, received }: Known,
): Promise<Answer | undefined> {
  const { endpoint } = context.origin
  if (received) return { ...received, endpoint }
  const own = entry?.endpoint === endpoint ? entry : undefined
  const info = readRepoInfo(context.origin, repo, commit) ?? own
  const tree = await storedTree(context, repo, commit)
  if (tree) return { repo, commit, tree, endpoint, info }
  return own && { repo, commit, tree: treeOf(own), isPartial: true, endpoint, info }
}

/** By stored words, else by what another tool wrote here, else by another cache. Throws `failure` when none knows the model. */
async function withoutHub(
  context: CacheContext,
  model: Model,
  known: Known | undefined,
  failure: unknown,
): Promise<Answer> {
  const stored = known && (await storedAnswer(context, known))
  const answer = stored ?? (await strangersAnswer(context, model)) ?? (await adoptedAnswer(context, model))
  if (!answer) throw failure
  return { ...answer, failure }
}

/** What lies in `hub/` of unknown origin. */
async function strangersAnswer(context: CacheContext, model: Model): Promise<Answer | undefined> {
  const { repo } = await currentRepoId(context, model.repo)
  const ref = await readRef(context.layout, repo, model.revision)
  const entry = ref && (await findStranger(context, { repo, commit: ref.commit }))
  if (!entry) return undefined
  const { commit } = entry
  const listed = await readTree(context.layout, repo, commit)
  return { repo, commit, tree: listed ?? treeOf(entry), isPartial: !listed, endpoint: undefined, info: entry }
}

async function adoptedAnswer(context: CacheContext, { repo, ...model }: Model): Promise<Answer | undefined> {
  const adopted = await adoptRevision(context, { ...model, repo })
  if (!adopted) return undefined
  const { ageMs, info, ...rest } = adopted
  const answer = { ...rest, repo, info }
  if (answer.endpoint !== undefined) {
    writeTree(context.origin, repo, answer.commit, answer.tree)
    await keepAnswer(context, { ...answer, revision: model.revision, ageMs })
  }
  const { snapshot } = await settleSnapshot(context, answer)
  await writeHubRef(context, { ...answer, revision: model.revision, snapshot, ageMs })
  return answer
}

async function askHub(
  context: CacheContext,
  model: Model,
  held: RepoId,
  { signal, onWait }: ResolveOptions,
): Promise<Answer | RepoId> {
  const asked = `Model ${describeModel(model)}`
  const hub = { ...(await hubAccess(context)), onWait }
  const { endpoint } = hub
  const { stallMs } = context.options
  const { commit, repo: now, ...info } = await fetchModel(hub, { ...model, asked, signal, stallMs })
  const repo = await settleName(context, model.repo, held, now)
  if (repo !== held) return repo
  await adoptFormerName(context, hub, { repo, commit, signal })
  const tree = await treeAt(context, { repo, commit, asked, signal, onWait })
  const answer = { repo, commit, tree, endpoint, info }
  const { snapshot, entry } = await settleSnapshot(context, answer)
  // Other revisions of an earlier version's entry are known by its refs alone.
  if (entry) await migrateEntry(context.layout, entry)
  await keepAnswer(context, { ...answer, revision: model.revision })
  await writeHubRef(context, { ...answer, revision: model.revision, snapshot })
  context.receivedAnswers.set(modelKey(model), { repo, commit, tree, info, at: originals.monotonic() })
  await warnOfSharedFolder(context, { repo, snapshot }, 'asked')
  return answer
}

/** The files of a commit: as our endpoint stated them before, else asked for now. */
export async function treeAt(
  context: CacheContext,
  { repo, commit, asked, signal, onWait }: { repo: RepoId; commit: Commit; asked: string } & ResolveOptions,
): Promise<Tree> {
  const stored = (await context.whoElseWrites({ repo, snapshot: snapshotOf(commit) }))
    ? undefined
    : await storedTree(context, repo, commit)
  if (stored) return stored
  const { stallMs } = context.options
  const tree = await fetchTree({ ...(await hubAccess(context)), onWait }, { repo, commit, asked, signal, stallMs })
  context.origin.writeEndpoint()
  writeTree(context.origin, repo, commit, tree)
  return tree
}

function treeOf({ files }: Readonly<Entry>): Tree {
  return new Map([...files].map(([path, { size, digest }]) => [path, { size, digest, gitId: '' }]))
}

/** The Hub as the options say, with the token that may be sent there. */
export async function hubAccess(context: CacheContext): Promise<HubAccess> {
  const { hub } = context.options
  context.noteHubAsked()
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

function tellStale(context: CacheContext, model: Model, { commit, endpoint }: Answer, error: unknown): void {
  const what =
    endpoint === undefined
      ? `the Hub could not be asked for its digests, so the cached commit ${commit.slice(0, 7)} is checked against the names of its blobs alone`
      : `the Hub could not be asked whether ${model.revision} moved, so the cached commit ${commit.slice(0, 7)} is used`
  context.warn(`${modelLabel(model)}: ${what}. ${messageOf(error)}`)
}
