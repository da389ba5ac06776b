import { existsSync } from 'node:fs'
import type { HubHttpError } from '../hub/http.ts'
import type { RawAnswer, RawRequest } from '../hub/raw.ts'
import { type Access, copyEntry, type Entry, type EntryId } from '../model/entry.ts'
import { type Model, type ModelSpec, toModel } from '../model/model.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { RequestEvent } from '../model/request.ts'
import type { CachedModel } from './cached-model.ts'
import { CacheContext } from './context/context.ts'
import type { Manifest } from './context/manifest.ts'
import type { CacheOptions } from './context/options.ts'
import { type GetOptions, getModel } from './get.ts'
import { accessTo, type CachedFile, describeFile, getFile, type KnownFile } from './get-file.ts'
import { hasModel } from './has.ts'
import type { DiskUse } from './inspect/disk-use.ts'
import type { CacheStatistics } from './inspect/statistics.ts'
import type { CacheStatus } from './inspect/status.ts'
import { isWritable } from './store/cache-folder.ts'
import { releaseRun } from './store/leases.ts'
import { isMarked } from './store/remove-own.ts'
import type { RunRecord } from './store/runs.ts'
import { removeTemporaryFolder, temporaryFolder } from './store/temporary-folder.ts'
import type { Cleaned, CleanOptions } from './upkeep/clean.ts'
import type { Maintained } from './upkeep/maintain.ts'
import type { Optimized, OptimizeOptions } from './upkeep/optimize.ts'
import type { Removed } from './upkeep/remove.ts'
import type { Verification, VerifyOptions } from './verify.ts'
import type { WarmOptions, WarmResult } from './warm.ts'

/**
 * The engine: models of a Hugging Face Hub, downloaded once, verified, and served as paths. Making one touches neither
 * disk nor network. A model is written `[org/]name[@revision]` or `{ repo, revision, files, task, dtype, pin }`; one
 * that is malformed throws `INVALID_MODEL`.
 */
export class ModelCache {
  readonly context: CacheContext

  constructor(options: CacheOptions) {
    this.context = new CacheContext(options)
  }

  /**
   * Gives a model that is there to be used, bringing in what is missing. Throws `ModelCacheError` with a code such as
   * `MODEL_NOT_FOUND`, `REVISION_NOT_FOUND`, `FILE_NOT_FOUND`, `GATED`, `OFFLINE` or `HUB_UNREACHABLE`.
   */
  async get(model: ModelSpec | Model, options?: GetOptions): Promise<CachedModel> {
    return getModel(this.context, toModel(model), options)
  }

  /** Gives one file of a repo, bringing it in when it is missing. Throws as `get`; `FILE_NOT_FOUND` is definite. */
  async file(repo: { repo: RepoId; revision: string }, path: string, options?: GetOptions): Promise<CachedFile> {
    return getFile(this.context, repo, path, options)
  }

  /** What a file of a repo is, without bringing it in: its listing is enough. Throws as `file`. */
  async describe(repo: { repo: RepoId; revision: string }, path: string, options?: GetOptions): Promise<KnownFile> {
    return describeFile(this.context, repo, path, options)
  }

  /** Who may read a repo: `unknown` where the Hub was not asked. Throws as `file`. */
  async accessOf(repo: { repo: RepoId; revision: string }, options?: GetOptions): Promise<Access> {
    return accessTo(this.context, repo, options)
  }

  /** True when the file would be served without the network. */
  async hasFile({ repo, revision }: { repo: RepoId; revision: string }, path: string): Promise<boolean> {
    return hasModel(this.context, { repo, revision, selection: { paths: [path] }, pin: false })
  }

  /** What the Hub's API answers to a read of a public repo, or its refusal. Undefined where it could not be asked. Throws `OFFLINE`. */
  async apiAnswer(
    repo: { repo: RepoId; revision: string },
    request: RawRequest,
  ): Promise<RawAnswer | HubHttpError | undefined> {
    const { getApiAnswer } = await import('./get-api-answer.ts')
    return getApiAnswer(await this.context.usable(), repo, request)
  }

  /** Brings models in; each result says whether it is there or why not. */
  async warm(models: (ModelSpec | Model)[], options?: WarmOptions): Promise<WarmResult[]> {
    const { warmModels } = await import('./on-disk.ts')
    return warmModels(this.context, models.map(toModel), options)
  }

  /** True when the selection would be served without the network. */
  async has(model: ModelSpec | Model): Promise<boolean> {
    return hasModel(this.context, toModel(model))
  }

  /** All entries, in the order of their names. */
  async list(): Promise<Entry[]> {
    const { listEntries } = await import('./on-disk.ts')
    // Theirs to change: what the cache reads stays as it is.
    return (await listEntries(this.context)).map(copyEntry)
  }

  /**
   * The entries that names mean: `[org/]name[@revision]`, the first digits of a commit, or a glob such as `Xenova/*`.
   * Throws `MODEL_NOT_FOUND` for the first that means none, `INVALID_MODEL` for a commit that could be several.
   */
  async find(...names: string[]): Promise<Entry[]> {
    const { findNamed } = await import('./find.ts')
    return findNamed(this.context, names)
  }

  /**
   * Removes the entries of repos; with a revision other than `main` only those at it. Throws `IN_USE` when another live
   * run uses one, `MODEL_NOT_FOUND` when one is not there: then nothing is removed.
   */
  async remove(...models: (ModelSpec | Model | Entry)[]): Promise<Removed> {
    const [{ findEntries }, { removeEntries }] = await Promise.all([import('./find.ts'), import('./upkeep/remove.ts')])
    const entries = await findEntries(this.context, models.map(modelOrEntry))
    return removeEntries(this.context, entries, this.context.options.signal)
  }

  /** Pins entries, so that they are neither evicted nor expired, or ends that. Gives those of which it is new. */
  async pin(entries: Entry[], pinned = true): Promise<Entry[]> {
    const { pinEntries } = await import('./pin.ts')
    return pinEntries(this.context, entries, pinned)
  }

  /** Removes models by age and use, and partial downloads. Live runs keep theirs, and pinned ones stay unless named. */
  async clean(options?: CleanOptions): Promise<Cleaned> {
    const { clean } = await import('./upkeep/clean.ts')
    return clean(this.context, options)
  }

  /** Frees what can be freed without losing anything that is wanted, and says by which step. */
  async optimize(options?: OptimizeOptions): Promise<Optimized> {
    const { optimize } = await import('./upkeep/optimize.ts')
    return optimize(this.context, options)
  }

  /**
   * Recomputes the digests of all entries, or of those of some models. What is wrong is not served any more; with
   * `repair` it is brought in anew at once. Throws `MODEL_NOT_FOUND` when a model is not there.
   */
  async verify(models?: (ModelSpec | Model | Entry)[], options?: VerifyOptions): Promise<Verification> {
    const [{ findEntries }, { verifyEntries }] = await Promise.all([import('./find.ts'), import('./verify.ts')])
    if (this.context.refusal) throw this.context.refusal
    const entries = models ? await findEntries(this.context, models.map(modelOrEntry)) : await this.list()
    return verifyEntries(this.context, entries, options)
  }

  /** What the cache holds. */
  async statistics(): Promise<CacheStatistics> {
    const { cacheStatistics } = await import('./on-disk.ts')
    return cacheStatistics(this.context)
  }

  /** What the models take on disk, and what is left there. */
  async diskUse(): Promise<DiskUse> {
    const { diskUse } = await import('./inspect/disk-use.ts')
    return diskUse(this.context.layout)
  }

  /** What the cache holds, and how it does: sizes, ages, hit rates, leftovers, live runs. */
  async status(): Promise<CacheStatus> {
    const { cacheStatus } = await import('./inspect/status.ts')
    return cacheStatus(this.context)
  }

  /** What workers need to serve what was warmed. */
  async manifest(results: WarmResult[]): Promise<Manifest> {
    const { makeManifest } = await import('./on-disk.ts')
    return makeManifest(this.context, results)
  }

  /** Claims models for the run that this cache works for: no other run removes them. */
  async claim(...models: EntryId[]): Promise<void> {
    await this.context.claim(...models)
  }

  /** Ends all claims of the run that this cache works for. */
  async endRun(): Promise<void> {
    await this.context.release()
    const { run } = this.context.options
    if (!run) return
    const { cacheDir, hub } = this.context.options
    const replaced = { cacheDir, endpoint: hub.endpoint, runId: run.id }
    if (existsSync(temporaryFolder(replaced))) await removeTemporaryFolder(replaced)
    releaseRun(this.context.layout, run.id)
  }

  /** False where the cache folder only serves what it has, or holds other things. */
  async isWritable(): Promise<boolean> {
    return isWritable(this.context.layout) && !this.context.refusal
  }

  /** Makes the cache folder where there is none; nothing where that can't be: whoever needs it says why. */
  async prepare(): Promise<void> {
    if (isMarked(this.context.layout) || this.context.refusal) return
    const { prepareCacheFolder } = await import('./store/prepare-cache-folder.ts')
    await prepareCacheFolder(this.context.layout).catch(() => undefined)
  }

  /** Keeps the record of a run. */
  async recordRun(record: RunRecord): Promise<void> {
    if (this.context.refusal) return
    await this.prepare()
    const { writeRun } = await import('./on-disk.ts')
    await writeRun(this.context.layout, record)
  }

  /** The last runs of a project, newest first. */
  async lastRuns(project: string, count: number): Promise<RunRecord[]> {
    const { readRuns } = await import('./on-disk.ts')
    return readRuns(this.context.layout, project, count)
  }

  /** The last runs of all projects that are accepted, newest first. */
  async lastRunsOf(accepts: (run: RunRecord) => boolean, count: number): Promise<RunRecord[]> {
    const { readAllRuns } = await import('./on-disk.ts')
    return readAllRuns(this.context.layout, count, accepts)
  }

  /** Folds the requests of a run into the metadata: last access, hits, used selections. */
  async recordUses(requests: RequestEvent[]): Promise<void> {
    if (requests.length === 0 || this.context.refusal) return
    // The folder may have been removed during the run. Without a mark the next run would refuse it.
    await this.prepare()
    const { recordUses } = await import('./on-disk.ts')
    return recordUses(this.context, requests)
  }

  /** Enforces `maxAge` and `maxSize`; what the cache's own run used is spared unless the run is over. */
  async maintain(options?: { isOver?: boolean }): Promise<Maintained> {
    const { maintain } = await import('./upkeep/maintain.ts')
    return maintain(this.context, options)
  }
}

function modelOrEntry(model: ModelSpec | Model | Entry): Model | Entry {
  return typeof model === 'object' && model !== null && 'commit' in model ? model : toModel(model)
}
