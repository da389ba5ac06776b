import type { Readable, Writable } from 'node:stream'
import type { HubHttpError } from '../hub/http.ts'
import type { RawAnswer, RawRequest } from '../hub/raw.ts'
import { type Access, copyEntry, type Entry, type EntryId } from '../model/entry.ts'
import type { LockedModel } from '../model/lock-file.ts'
import { type Model, type ModelSpec, toModel } from '../model/model.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { RequestEvent } from '../model/request.ts'
import type { Commit } from '../model/revision.ts'
import type { CachedModel } from './cached-model.ts'
import { CacheContext } from './context/context.ts'
import type { PathToLoad } from './context/decided-path.ts'
import type { Manifest } from './context/manifest.ts'
import type { CacheOptions } from './context/options.ts'
import { endRun } from './end-run.ts'
import type { Exported, ExportOptions } from './export.ts'
import { type GetOptions, getModel } from './get.ts'
import { accessTo, type CachedFile, describeFile, getFile, type KnownFile } from './get-file.ts'
import { hasModel } from './has.ts'
import type { Imported, ImportOptions } from './import.ts'
import type { DiskUse } from './inspect/disk-use.ts'
import type { CacheStatistics } from './inspect/statistics.ts'
import type { CacheStatus } from './inspect/status.ts'
import { modelOrEntry, type Named, namedEntries } from './named-entries.ts'
import type { PackOptions } from './pack.ts'
import { pathToLoad } from './path-to-load.ts'
import type { PushedModel, PushOptions } from './push.ts'
import type { StateOptions } from './state-model.ts'
import { isWritable } from './store/cache-folder.ts'
// Not by `on-disk.ts`: a run of a suite that never used a model only looks for records, and loads nothing else.
import { type RunRecord, readAllRuns, readRuns, writeRun } from './store/entries/runs.ts'
import { isMarked } from './store/remove-own.ts'
import type { UnpackedEntry, UnpackOptions } from './unpack.ts'
import type { Cleaned, CleanOptions } from './upkeep/clean.ts'
import type { Maintained, MaintainOptions } from './upkeep/maintenance/maintain.ts'
import type { Optimized, OptimizeOptions } from './upkeep/optimize.ts'
import type { PackedEntry } from './upkeep/packing/pack-entries.ts'
import type { Removed } from './upkeep/remove.ts'
import type { Verification, VerifyOptions } from './verify.ts'
import type { BegunModel, WarmOptions, WarmResult } from './warm.ts'

/**
 * The engine: it downloads models of a Hugging Face Hub once, verifies them, and serves them as paths. The constructor touches
 * neither disk nor network. A model is written as `[org/]name[@revision]` or `{ repo, revision, files, task, dtype, pin }`. A
 * malformed one throws `INVALID_MODEL`.
 */
export class ModelCache {
  readonly context: CacheContext

  constructor(options: CacheOptions) {
    this.context = new CacheContext(options)
  }

  /**
   * Returns a complete model, and downloads what is missing. Throws `ModelCacheError` with a code such as `MODEL_NOT_FOUND`,
   * `REVISION_NOT_FOUND`, `FILE_NOT_FOUND`, `GATED`, `OFFLINE` or `HUB_UNREACHABLE`.
   */
  async get(model: ModelSpec | Model, options?: GetOptions): Promise<CachedModel> {
    return getModel(this.context, toModel(model), options)
  }

  /** Returns one file of a repo, downloaded when it is missing. Throws as `get`; `FILE_NOT_FOUND` when the listing lacks it. */
  async file(repo: { repo: RepoId; revision: string }, path: string, options?: GetOptions): Promise<CachedFile> {
    return getFile(this.context, repo, path, options)
  }

  /** Describes a file of a repo by its record or by the listing. Downloads the file only when the cache has neither. Throws as `file`. */
  async describe(repo: { repo: RepoId; revision: string }, path: string, options?: GetOptions): Promise<KnownFile> {
    return describeFile(this.context, repo, path, options)
  }

  /** Returns who may read a repo: `unknown` when the Hub was not asked. Throws as `file`. */
  async accessOf(repo: { repo: RepoId; revision: string }, options?: GetOptions): Promise<Access> {
    return accessTo(this.context, repo, options)
  }

  /** True when the file would be served without the network. */
  async hasFile({ repo, revision }: { repo: RepoId; revision: string }, path: string): Promise<boolean> {
    return hasModel(this.context, { repo, revision, selection: { paths: [path] }, pin: false })
  }

  /**
   * Returns the path that ONNX Runtime is to open for a file that this cache served: `mapped` for a small ONNX file whose weights are
   * mapped from the cached file, `plain` for the file itself. Any other path is returned as it is. Never throws.
   */
  async pathToLoad(file: string): Promise<PathToLoad> {
    return pathToLoad(this.context, file)
  }

  /**
   * Returns the answer of the Hub's API to a read of a public repo, or the Hub's refusal. Undefined when the Hub gives no answer and
   * none is stored. Throws `OFFLINE`.
   */
  async apiAnswer(
    repo: { repo: RepoId; revision: string },
    request: RawRequest,
  ): Promise<RawAnswer | HubHttpError | undefined> {
    const { getApiAnswer } = await import('./get-api-answer.ts')
    return getApiAnswer(await this.context.usable(), repo, request)
  }

  /** The commit that the lock file states for a revision. `HEAD` is `main`. Undefined if it states none for our endpoint. */
  async lockedCommit({ repo, revision }: { repo: RepoId; revision: string }): Promise<Commit | undefined> {
    if (this.context.options.lockfile === undefined) return undefined
    const { findLocked } = await import('./on-disk.ts')
    return findLocked(this.context, { repo, revision: revision === 'HEAD' ? 'main' : revision })?.commit
  }

  /** What the endpoint states about a model, to be written into a lock file. Downloads and stores nothing. */
  async state(model: Pick<Model, 'repo' | 'revision'>, options?: StateOptions): Promise<LockedModel> {
    const { stateModel } = await import('./state-model.ts')
    return stateModel(this.context, model, options)
  }

  /** Downloads what is missing of the models. Each result holds the cached model, or the error. */
  async warm(models: (ModelSpec | Model)[], options?: WarmOptions): Promise<WarmResult[]> {
    const { warmModels } = await import('./on-disk.ts')
    return warmModels(this.context, models.map(toModel), options)
  }

  /** As `warm`, but returns when all models were looked up on disk, and before the others arrive. */
  async beginWarm(models: Model[], options?: WarmOptions): Promise<BegunModel[]> {
    const { beginWarm } = await import('./on-disk.ts')
    return beginWarm(this.context, models, options)
  }

  /** True when the selection would be served without the network. */
  async has(model: ModelSpec | Model): Promise<boolean> {
    return hasModel(this.context, toModel(model))
  }

  /** All entries, sorted by name. */
  async list(): Promise<Entry[]> {
    const { listEntries } = await import('./lookup/list-entries.ts')
    // Callers may change these copies.
    return (await listEntries(this.context)).map(copyEntry)
  }

  /**
   * Finds entries by name: `[org/]name[@revision]`, the first digits of a commit, or a glob such as `Xenova/*`. Throws
   * `MODEL_NOT_FOUND` for the first name without an entry, and `INVALID_MODEL` for digits with which several commits begin.
   */
  async find(...names: string[]): Promise<Entry[]> {
    const { findNamed } = await import('./find.ts')
    return findNamed(this.context, names)
  }

  /**
   * Removes all entries of the repos; with a revision other than `main`, only the entry at it. Throws `IN_USE` when another live
   * run uses one of them, and `MODEL_NOT_FOUND` when one is not cached. Then nothing is removed.
   */
  async remove(...models: Named[]): Promise<Removed> {
    const [{ findEntries }, { removeEntries }] = await Promise.all([import('./find.ts'), import('./upkeep/remove.ts')])
    const entries = await findEntries(this.context, models.map(modelOrEntry))
    return removeEntries(this.context, entries, this.context.options.signal)
  }

  /** Pins entries, so that they are neither evicted nor expired, or unpins them. Returns the entries that changed. */
  async pin(entries: Entry[], pinned = true): Promise<Entry[]> {
    const { pinEntries } = await import('./pin.ts')
    return pinEntries(this.context, entries, pinned)
  }

  /** Removes models by age and use, and unfinished downloads. Models of live runs stay, and pinned models unless the options say so. */
  async clean(options?: CleanOptions): Promise<Cleaned> {
    const { clean } = await import('./upkeep/clean.ts')
    return clean(this.context, options)
  }

  /** Frees what no model needs, and what exceeds the limits. Returns what each step freed. */
  async optimize(options?: OptimizeOptions): Promise<Optimized> {
    const { optimize } = await import('./upkeep/optimize.ts')
    return optimize(this.context, options)
  }

  /** Packs models into compressed chunks, by default all. Each result says what that saves, or why a model was not packed. */
  async pack(models?: Named[], options?: PackOptions): Promise<PackedEntry[]> {
    const [{ packModels }, entries] = await Promise.all([import('./pack.ts'), namedEntries(this.context, models)])
    return packModels(this.context, entries, options)
  }

  /** Restores packed models, by default all. A request for a packed model restores it, too. */
  async unpack(models?: Named[], options?: UnpackOptions): Promise<UnpackedEntry[]> {
    const [{ unpackEntries }, entries] = await Promise.all([import('./unpack.ts'), namedEntries(this.context, models)])
    return unpackEntries(this.context, entries, options)
  }

  /**
   * Recomputes the digests of all entries, or of the entries of some models. A wrong file is not served any more; with `repair` it
   * is downloaded again now. Throws `MODEL_NOT_FOUND` when a model is not cached.
   */
  async verify(models?: Named[], options?: VerifyOptions): Promise<Verification> {
    const [{ verifyEntries }, entries] = await Promise.all([import('./verify.ts'), namedEntries(this.context, models)])
    return verifyEntries(this.context, entries, options)
  }

  /**
   * Writes models into the remote, by default all that are cached. Each result says what was sent, and why a model was not. Throws
   * `INVALID_OPTION` without a remote, `REMOTE_UNUSABLE` if it must not or can't be written, and `MODEL_NOT_FOUND`.
   */
  async push(models?: Named[], options?: PushOptions): Promise<PushedModel[]> {
    const [{ pushEntries }, entries] = await Promise.all([import('./push.ts'), namedEntries(this.context, models)])
    return pushEntries(this.context, entries, options)
  }

  /**
   * Writes models into one archive, for a machine that can't reach the Hub: into a file, or uncompressed into a stream. Default: all
   * models. Throws `MODEL_NOT_FOUND`, `INVALID_OPTION` for a file that exists or an ending that is not written, and `DIGEST_MISMATCH`.
   */
  async exportTo(target: string | Writable, models?: Named[], options?: ExportOptions): Promise<Exported> {
    const { exportEntries } = await import('./export.ts')
    return exportEntries(this.context, await namedEntries(this.context, models), target, options)
  }

  /** Takes over the models of an archive, from a file or a stream. Throws `ARCHIVE_REFUSED`, `LOCK_MISMATCH` and `TOO_LARGE`. */
  async importFrom(source: string | Readable, options?: ImportOptions): Promise<Imported> {
    const { importArchive } = await import('./import.ts')
    return importArchive(this.context, source, options)
  }

  /** The number and the bytes of the cached models. */
  async statistics(): Promise<CacheStatistics> {
    const { cacheStatistics } = await import('./inspect/statistics.ts')
    return cacheStatistics(this.context)
  }

  /** The bytes that the models take on disk, and the free bytes of the disk. */
  async diskUse(): Promise<DiskUse> {
    const { diskUse } = await import('./inspect/disk-use.ts')
    return diskUse(this.context.layout)
  }

  /** The state of the cache: sizes, ages, hit rates, unfinished downloads, live runs. */
  async status(): Promise<CacheStatus> {
    const { cacheStatus } = await import('./inspect/status.ts')
    const { dueAmong } = await import('./upkeep/maintenance/look-due.ts')
    return cacheStatus(this.context, dueAmong)
  }

  /** The manifest of a warm-up: with it, workers find the models without metadata. */
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
    await endRun(this.context)
  }

  /** False when the cache folder is read-only or refused. */
  async isWritable(): Promise<boolean> {
    return isWritable(this.context.layout) && !this.context.refusal
  }

  /** Makes the cache folder when it is missing. A failure is ignored: the next call that needs the folder throws the reason. */
  async prepare(): Promise<void> {
    if (isMarked(this.context.layout) || this.context.refusal) return
    const { prepareCacheFolder } = await import('./store/locks/prepare-cache-folder.ts')
    await prepareCacheFolder(this.context.layout).catch(() => undefined)
  }

  /** Stores the record of a run. */
  async recordRun(record: RunRecord): Promise<void> {
    if (this.context.refusal) return
    await this.prepare()
    await writeRun(this.context.layout, record)
  }

  /** The last runs of a project, newest first. */
  async lastRuns(project: string, count: number): Promise<RunRecord[]> {
    return readRuns(this.context.layout, project, count)
  }

  /** The last `count` runs of all projects that `accepts` accepts, newest first. */
  async lastRunsOf(accepts: (run: RunRecord) => boolean, count: number): Promise<RunRecord[]> {
    return readAllRuns(this.context.layout, count, accepts)
  }

  /** Records the requests of a run in the metadata: last access, hits, used selections. */
  async recordUses(requests: RequestEvent[]): Promise<void> {
    if (requests.length === 0 || this.context.refusal) return
    // The folder may have been removed during the run. It needs its mark again, or the next run would refuse it.
    await this.prepare()
    const { recordUses } = await import('./upkeep/record-uses.ts')
    return recordUses(this.context, requests)
  }

  /** Enforces `maxAge` and `maxSize`. Models of the cache's own run stay, unless `isOver` says that the run is over. */
  async maintain(options?: MaintainOptions): Promise<Maintained> {
    const { maintain } = await import('./upkeep/maintenance/maintain.ts')
    return maintain(this.context, options)
  }
}
