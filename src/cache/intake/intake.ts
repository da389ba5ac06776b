import { readFile } from 'node:fs/promises'
import pLimit from 'p-limit'
import type { HubAccess } from '../../hub/http.ts'
import type { Digest } from '../../model/digest.ts'
import { type Entry, type EntryFile, type EntrySelection, isPacked } from '../../model/entry.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type HubPath, isWritable, parseHubPath } from '../../model/hub-path.ts'
import { type Model, modelLabel } from '../../model/model.ts'
import { fileInPlaceOfFolder, type TreeFile } from '../../model/tree.ts'
import { isoNow, linkedController, originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import type { Progress } from '../context/progress.ts'
import { prepareMapping } from '../lookup/mapped-path.ts'
import { parseRepoConfig, type RepoConfig } from '../selection/transformers-sessions.ts'
import { isAsRecorded } from '../store/blobs.ts'
import { syncToDisk } from '../store/durable.ts'
import { beginDownload } from './download-clock.ts'
import { type BlobSource, ensureBlob, linkFile } from './ensure-file.ts'
import type { FileProgress, FileTarget } from './file-target.ts'
import { ModelOnRemote } from './model-on-remote.ts'
import { Rate } from './rate.ts'
import type { Resolved } from './resolve.ts'

export interface IntakeOptions {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  isPart?: boolean
  /** See `FileTarget.onlyHere`. */
  onlyHere?: boolean
}

/** Gets the files of one repo at one commit into the cache, and measures what that took. */
export class Intake {
  /** Milliseconds that downloads took by the clock. Null while nothing was downloaded. */
  downloadMs: number | null = null
  /** Bytes that were received from the Hub. */
  downloadedBytes = 0
  /** Milliseconds that restoring took by the clock, from the remote or from pack files. Null if nothing was restored, or if the rest was downloaded. */
  restoreMs: number | null = null
  /** Bytes that were received from the remote. */
  restoredBytes = 0
  /** Bytes that were restored from the pack files. */
  unpackedBytes = 0
  /** Bytes that were adopted from another cache. */
  adoptedBytes = 0
  /** Files that had changed since they were recorded, and were downloaded, restored or adopted again. */
  readonly repaired: HubPath[] = []
  /** Files that are new, or differ from their record. Each promise resolves when the file is synced to the disk. */
  readonly #fresh = new Map<HubPath, Promise<void>>()
  /** Two syncs at a time, so that downloads can use the other threads of Node.js (it has four by default). */
  readonly #syncing = pLimit(2)
  readonly #files = new Map<HubPath, EntryFile>()
  /** Paths with the same content share one blob, which crosses the network once. */
  readonly #blobs = new Map<Digest, Promise<BlobSource>>()
  readonly #onRemote: ModelOnRemote

  constructor(
    readonly context: CacheContext,
    readonly model: Model,
    readonly resolved: Resolved,
    readonly hub: HubAccess,
    readonly options: IntakeOptions,
  ) {
    this.#onRemote = new ModelOnRemote(context, { model, resolved, hub, signal: options.signal })
  }

  /** The task that the repo's model card states, if it is known. */
  get ownTask(): string | undefined {
    return this.resolved.info?.task ?? this.resolved.entry?.task
  }

  /** The content of these files that no commit of the repo has recorded yet: digests, and sizes in bytes. */
  async missing(paths: HubPath[]): Promise<Map<Digest, number>> {
    const metadata = await this.context.metadata()
    const commits = [...(await metadata.all()).values()].filter(({ repo }) => repo === this.model.repo)
    const files = [...this.#files.values(), ...commits.flatMap((commit) => [...commit.files.values()])]
    // What is packed takes its place on disk once it is restored.
    const known = new Set(files.filter((file) => !isPacked(file)).map(({ digest }) => digest))
    const stated = paths.flatMap((path) => this.resolved.tree.get(path) ?? [])
    return new Map(stated.filter(({ digest }) => !known.has(digest)).map(({ digest, size }) => [digest, size]))
  }

  /** The repo's `config.json`, downloaded when it is missing. Empty when the repo has none. */
  async readConfig(): Promise<RepoConfig> {
    const path = parseHubPath('config.json', this.model.repo)
    if (!this.resolved.tree.has(path)) return {}
    await this.ensure([path])
    return parseRepoConfig(await readFile(this.#pathOf(path), 'utf8'))
  }

  /** Gets the files into the cache. The first failure ends the other downloads. Files that are complete by then can be recorded. */
  async ensure(paths: HubPath[]): Promise<void> {
    const wanted = paths.filter((path) => !this.#files.has(path)).map((path) => this.#target(path))
    const { controller: stop, unlink } = linkedController(this.options.signal)
    const onBytes = this.#progress(wanted.map(({ stated }) => stated))
    const endDownload = beginDownload()
    let firstFailure: { error: unknown } | undefined
    const sources = await Promise.all(
      wanted.map(async (target) => {
        try {
          return await this.#add({ ...target, onBytes, signal: stop.signal })
        } catch (error) {
          firstFailure ??= { error }
          stop.abort(error)
          return undefined
        }
      }),
    )
    unlink()
    const downloaded = wanted.flatMap(({ path }, index) => (sources[index] === 'hub' ? [path] : []))
    const { elapsedMs, sharedMs } = endDownload()
    this.#share(downloaded, sharedMs)
    if (downloaded.length > 0) this.downloadMs = (this.downloadMs ?? 0) + elapsedMs
    else if (sources.includes('remote') || sources.includes('cold')) this.restoreMs = (this.restoreMs ?? 0) + elapsedMs
    if (firstFailure) throw firstFailure.error
  }

  /** Waits until the new files are synced to the disk, and returns their paths. Only then may they be recorded. */
  async synced(): Promise<HubPath[]> {
    await Promise.all(this.#fresh.values())
    return [...this.#fresh.keys()]
  }

  /** Syncs a file to the disk while others are downloaded. */
  #syncLater(path: HubPath): void {
    const synced = this.#syncing(() => syncToDisk(this.#pathOf(path)))
    // A failure is thrown by `synced`.
    synced.catch(() => undefined)
    this.#fresh.set(path, synced)
  }

  /** The entry with all files that are complete now. */
  record(selections: EntrySelection[]): Entry {
    const { model, resolved } = this
    const { entry } = resolved
    const now = isoNow()
    return {
      repo: model.repo,
      revision: model.revision,
      commit: resolved.commit,
      snapshot: resolved.snapshot,
      endpoint: resolved.endpoint,
      access: resolved.info?.access ?? entry?.access ?? 'unknown',
      task: this.ownTask,
      cachedDate: entry?.cachedDate ?? now,
      lastAccessDate: now,
      hits: entry?.hits ?? 0,
      pinned: model.pin || (entry?.pinned ?? false),
      selections,
      files: new Map([...(entry?.files ?? []), ...this.#files]),
    }
  }

  /** Returns where the bytes of the file were found. `disk` also for a file with the same content as an earlier one. */
  async #add(target: FileTarget): Promise<BlobSource> {
    const { path, stated, known } = target
    const connections = await this.context.connections()
    const isFirst = !this.#blobs.has(stated.digest)
    const blob = this.#blobs.get(stated.digest) ?? connections.run(() => ensureBlob(this.context, target))
    this.#blobs.set(stated.digest, blob)
    const source = await blob
    // Files with the same content are downloaded once. `#share` sets the time that the download took.
    const downloadMs = source === 'hub' ? 0 : (known?.downloadMs ?? null)
    const file = await linkFile(this.context, target)
    // A skeleton that was made of damaged bytes must not outlast them, also when another tool has put the file right.
    const isNew = source !== 'disk' || !isAsRecorded(file, known)
    const skeletonBytes = await prepareMapping(this.context, this.#pathOf(path), { isNew })
    this.#files.set(path, { ...file, downloadMs, ...(skeletonBytes !== undefined && { skeletonBytes }) })
    if (!isAsRecorded(file, known)) this.#syncLater(path)
    if (source !== 'disk' && known?.digest === stated.digest && !isPacked(known)) this.repaired.push(path)
    if (source === 'adopted' && isFirst) this.adoptedBytes += stated.size
    return isFirst ? source : 'disk'
  }

  /** Divides the time among the files by their sizes, so that the recorded times add up to the time by the clock. */
  #share(paths: HubPath[], sharedMs: number): void {
    const files = paths.flatMap((path) => this.#files.get(path) ?? [])
    if (files.length === 0) return
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    for (const file of files) file.downloadMs = bytes === 0 ? sharedMs / files.length : (sharedMs * file.size) / bytes
  }

  /** The path on disk of a file of the model. */
  #pathOf(path: HubPath): string {
    return this.context.layout.file(this.model.repo, this.resolved.snapshot, path)
  }

  #target(path: HubPath): Omit<FileTarget, 'onBytes'> {
    const { model, resolved, hub } = this
    const { commit, snapshot, entry, lockfile } = resolved
    const stated = resolved.tree.get(path)
    const asked = `File ${JSON.stringify(path)} of ${modelLabel(model)}`
    if (!stated)
      throw new ModelCacheError({
        code: 'FILE_NOT_FOUND',
        asked,
        reason: 'The repo has no such file at this commit.',
        nextStep: 'Check the spelling of the file.',
      })
    const inItsPlace = fileInPlaceOfFolder(resolved.tree, path)
    if (inItsPlace)
      throw new ModelCacheError({
        code: 'UNSAFE_PATH',
        asked,
        reason: `The repo also lists a file ${JSON.stringify(inItsPlace)}, where a folder is needed for this one.`,
        nextStep:
          'No disk can hold both. Choose the files that you need by `files`, or report the problem to the owner of the repo.',
      })
    if (!isWritable(path))
      throw new ModelCacheError({
        code: 'UNSAFE_PATH',
        asked,
        reason: 'No file of that name can be written on this system.',
        nextStep: 'Leave it out: choose the files that you need by `files`.',
      })
    return {
      model,
      commit,
      snapshot,
      path,
      stated,
      known: entry?.files.get(path),
      hub,
      lockfile,
      onRemote: this.#onRemote,
      onlyHere: this.options.onlyHere,
    }
  }

  #progress(files: TreeFile[]): FileProgress {
    const { onProgress } = this.options
    const started = originals.monotonic()
    // Two paths with the same content are downloaded once.
    const sizes = new Map(files.map(({ digest, size }) => [digest, size]))
    let totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
    let receivedBytes = 0
    const rate = new Rate()
    let source: Progress['source']
    const tell = (waitMs?: number) => {
      const elapsedMs = originals.monotonic() - started
      const { bytesPerSecond } = rate
      const model = modelLabel(this.model)
      onProgress?.({ model, receivedBytes, totalBytes, elapsedMs, bytesPerSecond, waitMs, source })
    }
    const kept = (bytes: number) => {
      receivedBytes += bytes
      tell()
    }
    const arrived = (bytes: number, from: Progress['source']) => {
      source = from
      rate.saw(Math.max(0, bytes))
      kept(bytes)
    }
    return {
      present: (bytes) => {
        totalBytes -= bytes
      },
      kept,
      received: (bytes) => {
        // Bytes that are thrown away later crossed the network, too.
        this.downloadedBytes += Math.max(0, bytes)
        arrived(bytes, 'hub')
      },
      restored: (bytes) => {
        this.restoredBytes += Math.max(0, bytes)
        arrived(bytes, 'remote')
      },
      unpacked: (bytes) => {
        this.unpackedBytes += bytes
        arrived(bytes, 'cold')
      },
      waiting: tell,
    }
  }
}
