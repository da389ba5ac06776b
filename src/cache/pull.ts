import { readFile } from 'node:fs/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Entry } from '../model/entry.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { type HubPath, isWritable, parseHubPath } from '../model/hub-path.ts'
import { describeModel, type Model, modelLabel } from '../model/model.ts'
import { fileInPlaceOfFolder, type Tree } from '../model/tree.ts'
import { RemoteError } from '../remote/store.ts'
import { cacheUnusable } from './cache-unusable.ts'
import { CacheContext } from './context/context.ts'
import type { Progress } from './context/progress.ts'
import { getModel } from './get.ts'
import { NotOnRemote } from './intake/not-on-remote.ts'
import { findEntry } from './lookup/find-entry.ts'
import { type StatedModel, statedModel } from './pull/stated-model.ts'
import { planFiles } from './selection/plan.ts'
import { parseRepoConfig, type RepoConfig } from './selection/transformers-sessions.ts'
import { FilesOnRemote } from './share/files-on-remote.ts'
import { callsOfCommand, type StoreCalls } from './share/store-calls.ts'
import { readableStore, remoteOf, unusable } from './share/store-of.ts'

export interface PullOptions {
  /** True: all files of the models that the remote has. Default: those of their selections. */
  isWhole?: boolean
  /** True: nothing is put into the cache. The result says what would be. */
  dryRun?: boolean
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
}

/** What was done for one model. */
export interface PulledModel {
  repo: string
  revision: string
  commit: string | null
  /** The number and the bytes of the files that were asked for. */
  files: number
  bytes: number
  /** Of these, the files that were cached before. */
  presentFiles: number
  /** Of these, the files that were taken from the remote, or with `dryRun` would be, and their bytes. */
  pulledFiles: number
  pulledBytes: number
  /**
   * Bytes that were received for that: fewer than `pulledBytes` where this machine has a part of them in another revision. Null if it is
   * not known, because a file failed.
   */
  receivedBytes: number | null
  /** The files that the remote does not have. */
  lacking: HubPath[]
  /** `partial`: some of its files are not cached now. `absent`: none is. `failed`: see `error`. */
  outcome: 'complete' | 'partial' | 'absent' | 'failed'
  error?: ModelCacheError
}

const MODELS_AT_ONCE = 4
const CALLS_AT_ONCE = 16

/**
 * Takes models from the remote, and downloads no file from the Hub. The Hub is only asked what a model is, where no lock file states it.
 * What the remote lacks is left out. Throws `INVALID_OPTION` without a remote, and `REMOTE_UNUSABLE` if it can't be opened.
 */
export async function pullModels(
  context: CacheContext,
  models: Model[],
  options: PullOptions = {},
): Promise<PulledModel[]> {
  const store = await readableStore(context)
  const own = new CacheContext({ ...context.options, downloads: false })
  const calls = callsOfCommand(context, store, options.signal)
  const { signal } = calls.options
  const work = { ...options, own, signal, calls, limit: pLimit(CALLS_AT_ONCE) }
  const limit = pLimit(MODELS_AT_ONCE)
  try {
    return await Promise.all(models.map((model) => limit(pullModel, work, model)))
  } finally {
    store.close?.()
    ;(await own.remote())?.store.close?.()
  }
}

interface Work extends PullOptions {
  own: CacheContext
  signal: AbortSignal
  calls: StoreCalls
  limit: LimitFunction
  /** A failure of the remote after which further calls would fail, too. */
  down?: ModelCacheError
}

async function pullModel(work: Work, model: Model): Promise<PulledModel> {
  const { repo, revision } = model
  const counts = { files: 0, bytes: 0, presentFiles: 0, pulledFiles: 0, pulledBytes: 0, receivedBytes: 0 }
  const pulled: PulledModel = { repo, revision, commit: null, ...counts, lacking: [], outcome: 'failed' }
  try {
    if (work.down) throw work.down
    const stated = await statedModel(work.own, model, work.signal)
    const chosen = await chooseFiles(work, model, stated)
    pulled.commit = stated.commit
    pulled.files = chosen.paths.length
    pulled.bytes = bytesOf(stated.files, chosen.paths)
    pulled.lacking.push(...chosen.lacking)
    const { present, onRemote } = chosen
    const all = work.dryRun ? [...present, ...onRemote] : await take(work, model, chosen, pulled)
    const cachedNow = new Set(all)
    const taken = onRemote.filter((path) => cachedNow.has(path))
    pulled.presentFiles = present.filter((path) => cachedNow.has(path)).length
    pulled.pulledFiles = taken.length
    pulled.pulledBytes = bytesOf(stated.files, taken)
    const cached = pulled.presentFiles + pulled.pulledFiles
    return { ...pulled, outcome: cached === pulled.files ? 'complete' : cached > 0 ? 'partial' : 'absent' }
  } catch (error) {
    work.signal.throwIfAborted()
    return { ...pulled, error: explained(work, model, error) }
  }
}

interface Chosen {
  paths: HubPath[]
  /** Those of them that are cached. */
  present: HubPath[]
  /** Those that are not cached, and that the remote has. */
  onRemote: HubPath[]
  lacking: HubPath[]
}

async function chooseFiles(work: Work, model: Model, { id, commit, task, files }: StatedModel): Promise<Chosen> {
  const { own, calls, limit, isWhole } = work
  const { endpoint } = own.origin
  const entry =
    (await findEntry(own, { repo: id, commit, endpoint })) ??
    (await findEntry(own, { repo: id, commit, endpoint: undefined }))
  const remote = new FilesOnRemote(calls, { endpoint, repo: id, commit })
  const asked = `Model ${describeModel(model)}`
  const readConfig = () => configOf(own, { model, files, entry, remote })
  const plan = { selection: model.selection, tree: files, ownTask: task, entry, readConfig, asked }
  const paths = isWhole ? writable(files) : (await planFiles(plan)).files
  const chosen: Chosen = { paths, present: [], onRemote: [], lacking: [] }
  await Promise.all(
    paths.map((path) =>
      limit(async () => {
        const stated = files.get(path)
        if (work.down) throw work.down
        if (!stated) return
        if (entry?.files.get(path)?.digest === stated.digest) chosen.present.push(path)
        else (await remote.has(stated)) ? chosen.onRemote.push(path) : chosen.lacking.push(path)
      }),
    ),
  )
  chosen.lacking.sort()
  return chosen
}

/** All files that this system can hold. */
function writable(files: Tree): HubPath[] {
  return [...files.keys()].filter((path) => isWritable(path) && !fileInPlaceOfFolder(files, path))
}

interface ConfigSources {
  model: Model
  files: Tree
  entry: Readonly<Entry> | undefined
  remote: FilesOnRemote
}

/** The repo's `config.json`, from the cache or from the remote. The plan of a transformers.js model depends on it. */
async function configOf({ layout }: CacheContext, { model, files, entry, remote }: ConfigSources): Promise<RepoConfig> {
  const path = parseHubPath('config.json', model.repo)
  const stated = files.get(path)
  if (!stated) return {}
  const isCached = entry?.files.get(path)?.digest === stated.digest
  const file = entry && isCached ? layout.file(entry.repo, entry.snapshot, path) : undefined
  const bytes = (file && (await readFile(file).catch(() => undefined))) ?? (await remote.read(stated))
  if (bytes) return parseRepoConfig(new TextDecoder().decode(bytes))
  throw new ModelCacheError({
    code: 'REMOTE_UNUSABLE',
    asked: `Model ${describeModel(model)}`,
    reason: 'The remote lacks its config.json, and the files of its selection are chosen by that.',
    nextStep: `Download it from the Hub: \`npx vitest-model-cache warm ${modelLabel(model)}\`.`,
  })
}

/**
 * Puts files into the cache, and checks those that are there. Returns all that it has now. What could not be taken is added to `lacking` of
 * `pulled`.
 */
async function take(work: Work, model: Model, chosen: Chosen, pulled: PulledModel): Promise<HubPath[]> {
  const { own, signal, onProgress } = work
  let paths = [...chosen.present, ...chosen.onRemote]
  while (paths.length > 0) {
    const isAll = paths.length === chosen.paths.length && !work.isWhole
    try {
      const asked = isAll ? model : { ...model, selection: { paths } }
      const { restoredBytes } = await getModel(own, asked, { signal, onProgress })
      if (pulled.receivedBytes !== null) pulled.receivedBytes = restoredBytes
      return paths
    } catch (error) {
      // One damaged object does not keep the others from being taken.
      const isOne = error instanceof NotOnRemote && error.code === 'REMOTE_UNUSABLE'
      if (!isOne || (await own.remote())?.leftAlone !== undefined) throw error
      paths = paths.filter((path) => path !== error.path)
      pulled.lacking.push(error.path)
      pulled.receivedBytes = null
    }
  }
  return paths
}

/** Bytes. Files with the same content count once. */
function bytesOf(files: Tree, paths: HubPath[]): number {
  const sizes = new Map(paths.flatMap((path) => files.get(path) ?? []).map(({ digest, size }) => [digest, size]))
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

function explained(work: Work, model: Model, error: unknown): ModelCacheError {
  if (error instanceof ModelCacheError) return error
  if (!(error instanceof RemoteError)) return cacheUnusable(model, error)
  const explained = unusable(remoteOf(work.own), messageOf(error), '`npx vitest-model-cache doctor` checks it.')
  if (error.failure !== 'failed') work.down = explained
  return explained
}
