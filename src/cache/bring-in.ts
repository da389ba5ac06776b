import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { formatDuration, formatSize } from '../config/units.ts'
import { type Entry, type EntryFile, type EntrySelection, entryKey, recordedDownloadMs } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { type HubPath, parseHubPath } from '../model/hub-path.ts'
import { describeModel, type Model, modelLabel } from '../model/model.ts'
import { selectionKey } from '../model/selection.ts'
import type { Tree, TreeFile } from '../model/tree.ts'
import { isoNow, originals } from '../platform/originals.ts'
import { type CachedModel, makeCachedModel } from './cached-model.ts'
import type { CacheContext } from './context.ts'
import { type EnsuredFile, ensureFile } from './ensure-file.ts'
import { type GetOptions, serve } from './get.ts'
import { locateOnDisk } from './locate.ts'
import { planFiles } from './plan.ts'
import { hubAccess, type Resolved, resolve } from './resolve.ts'
import { prepareCacheFolder } from './store/cache-folder.ts'
import { withLock } from './store/lock.ts'

type BringInOptions = GetOptions & { started: number }

/**
 * Makes a selection complete: verifies what lies on disk without a valid record, downloads the rest, records it. One
 * process does it for a repo at a time; who waited finds it done, and so each blob crosses the network once.
 */
export async function bringIn(context: CacheContext, model: Model, options: BringInOptions): Promise<CachedModel> {
  await prepareCacheFolder(context.layout)
  const lock = join(context.layout.incoming, `${encodeURIComponent(model.repo)}.lock`)
  return withLock(lock, () => bringInLocked(context, model, options), options.signal)
}

async function bringInLocked(context: CacheContext, model: Model, options: BringInOptions): Promise<CachedModel> {
  const waitedFor = await locateOnDisk(context, model)
  if (waitedFor?.changed.length === 0) return serve(context, model, waitedFor, options.started)
  const resolved = await resolve(context, model, options.signal)
  const metadata = await context.metadata()
  const key = entryKey({ repo: model.repo, commit: resolved.commit })
  const entry = await metadata.find(key)
  const intake = new Intake(context, model, resolved, entry, options)
  const ownTask = resolved.fresh?.task ?? entry?.task
  const { files, rule } = await planFiles({
    selection: model.selection,
    tree: resolved.tree,
    ownTask,
    entry,
    readConfig: () => intake.readConfig(),
    asked: `Model ${describeModel(model)}`,
  })
  context.debug(`Files of ${describeModel(model)}: ${files.length}, chosen by ${rule}`)
  const downloadMs = await intake.ensure(files)
  if (downloadMs !== null)
    context.debug(
      `💾 Caching model: ${describeModel(model)} (${formatSize(intake.receivedBytes)} in ${formatDuration(downloadMs)})`,
    )
  const selections = [{ key: selectionKey(model.selection), files, used: options.used ?? true }]
  // What `pipeline(<its task>)` will ask for next is the same by another name: found without planning it again.
  if (rule === 'own task')
    selections.push({ key: selectionKey({ ...model.selection, task: ownTask }), files, used: false })
  const recorded = intake.record(selections)
  await metadata.update((entries) => {
    const before = entries.get(key)
    entries.set(key, before ? mergeEntries(before, recorded) : recorded)
  })
  return makeCachedModel(context.layout, {
    repo: model.repo,
    revision: model.revision,
    commit: resolved.commit,
    files: new Map(files.map((path) => [path, resolved.tree.get(path)?.size ?? 0])),
    tier: downloadMs === null ? 'disk' : 'hub',
    lookupMs: originals.monotonic() - options.started - (downloadMs ?? 0),
    downloadMs,
    recordedDownloadMs: recordedDownloadMs(recorded, files),
    warmedInThisRun: false,
  })
}

/** One model on its way in: which of its files are there, and what they took. */
class Intake {
  readonly #ensured = new Map<HubPath, EnsuredFile>()
  readonly #fresh = new Map<HubPath, { downloadMs: number }>()

  constructor(
    readonly context: CacheContext,
    readonly model: Model,
    readonly resolved: Resolved,
    readonly entry: Entry | undefined,
    readonly options: BringInOptions,
  ) {}

  /** Bytes that were downloaded. */
  get receivedBytes(): number {
    return [...this.#fresh.keys()].reduce((sum, path) => sum + (this.#ensured.get(path)?.record.size ?? 0), 0)
  }

  async readConfig() {
    const path = parseHubPath('config.json', this.model.repo)
    if (!this.resolved.tree.has(path)) return {}
    await this.ensure([path])
    return JSON.parse(await readFile(this.context.layout.file(this.model.repo, this.resolved.commit, path), 'utf8'))
  }

  /** Milliseconds that the downloads took, or null when there was nothing to download. */
  async ensure(paths: HubPath[]): Promise<number | null> {
    const wanted = paths.filter((path) => !this.#ensured.has(path))
    const started = originals.monotonic()
    const results = await this.#ensureAll(wanted)
    const elapsedMs = originals.monotonic() - started
    const downloads = results.filter(({ file }) => file.downloaded)
    const bytes = downloads.reduce((sum, { file }) => sum + file.record.size, 0)
    for (const { path, file } of downloads)
      this.#fresh.set(path, { downloadMs: bytes === 0 ? elapsedMs : (elapsedMs * file.record.size) / bytes })
    if (this.#fresh.size === 0) return null
    return [...this.#fresh.values()].reduce((sum, { downloadMs }) => sum + downloadMs, 0)
  }

  async #ensureAll(paths: HubPath[]): Promise<{ path: HubPath; file: EnsuredFile }[]> {
    const hub = await hubAccess(this.context)
    const limit = pLimit(this.context.options.hub.concurrency)
    const files = paths.map((path) => ({ path, stated: statedBy(this.resolved.tree, path, this.model) }))
    const onBytes = this.#progress(files.map(({ stated }) => stated))
    return Promise.all(
      files.map(({ path, stated }) =>
        limit(async () => {
          const target = { model: this.model, commit: this.resolved.commit, path, stated, hub }
          const known = this.entry?.files.get(path)
          const file = await ensureFile(this.context, { ...target, known, onBytes, signal: this.options.signal })
          this.#ensured.set(path, file)
          return { path, file }
        }),
      ),
    )
  }

  #progress(files: TreeFile[]) {
    const { onProgress } = this.options
    const started = originals.monotonic()
    const total = files.reduce((sum, { size }) => sum + size, 0)
    let present = 0
    let received = 0
    return {
      present: (bytes: number) => {
        present += bytes
      },
      received: (bytes: number) => {
        received += bytes
        const elapsedMs = originals.monotonic() - started
        onProgress?.({
          model: modelLabel(this.model),
          receivedBytes: received,
          totalBytes: total - present,
          elapsedMs,
        })
      },
    }
  }

  /** The entry as it stands now. */
  record(selections: EntrySelection[]): Entry {
    const { model, resolved, entry, context } = this
    const now = isoNow()
    const ensured = [...this.#ensured].map(([path, { record }]): [HubPath, EntryFile] => {
      const downloadMs = this.#fresh.get(path)?.downloadMs ?? entry?.files.get(path)?.downloadMs ?? null
      return [path, { ...record, downloadMs }]
    })
    return {
      repo: model.repo,
      revision: model.revision,
      commit: resolved.commit,
      endpoint: context.options.hub.endpoint,
      access: resolved.fresh?.access ?? entry?.access ?? 'unknown',
      task: resolved.fresh?.task ?? entry?.task,
      cachedDate: entry?.cachedDate ?? now,
      lastAccessDate: now,
      hits: entry?.hits ?? 0,
      pinned: model.pin || (entry?.pinned ?? false),
      selections,
      files: new Map([...(entry?.files ?? []), ...ensured]),
    }
  }
}

/** What another process recorded since stays; what we know newer replaces it. */
function mergeEntries(before: Entry, now: Entry): Entry {
  const keys = new Set(now.selections.map(({ key }) => key))
  const wasUsed = new Set(before.selections.filter(({ used }) => used).map(({ key }) => key))
  return {
    ...now,
    cachedDate: before.cachedDate,
    hits: before.hits,
    pinned: before.pinned || now.pinned,
    selections: [
      ...before.selections.filter(({ key }) => !keys.has(key)),
      ...now.selections.map((selection) => ({ ...selection, used: selection.used || wasUsed.has(selection.key) })),
    ],
    files: new Map([...before.files, ...now.files]),
  }
}

function statedBy(tree: Tree, path: HubPath, model: Model): TreeFile {
  const stated = tree.get(path)
  if (stated) return stated
  throw new ModelCacheError({
    code: 'FILE_NOT_FOUND',
    asked: `File ${JSON.stringify(path)} of ${modelLabel(model)}`,
    reason: 'The repo has no such file at this commit.',
    nextStep: 'Check the spelling of the file.',
  })
}
