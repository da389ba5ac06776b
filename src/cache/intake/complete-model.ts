import { existsSync } from 'node:fs'
import { formatDuration, formatSize } from '../../config/units.ts'
import type { Digest } from '../../model/digest.ts'
import { type Entry, type EntryId, entryKey, hasPacked, recordedDownloadMs } from '../../model/entry.ts'
import { isSystemError, ModelCacheError } from '../../model/errors.ts'
import type { HubPath } from '../../model/hub-path.ts'
import { describeModel, type Model, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { selectionKey } from '../../model/selection.ts'
import { rootMessage } from '../../net/connection-error.ts'
import { originals, withTimeLimit } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { compareWithDisk } from '../lookup/compare-with-disk.ts'
import { findOnDisk } from '../lookup/locate-on-disk.ts'
import { currentRepoId } from '../lookup/stored-answers.ts'
import { planFiles } from '../selection/plan.ts'
import { isWritable } from '../store/cache-folder.ts'
import { sweepIncoming } from '../store/downloads/leftovers.ts'
import type { Hold } from '../store/locks/lock.ts'
import { prepareCacheFolder } from '../store/locks/prepare-cache-folder.ts'
import { withRepoLock } from '../store/removal/aside.ts'
import { type Arrival, NOTHING_DONE } from './arrival.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { recordEntry } from './record-entry.ts'
import { hubAccess, type Resolved, resolve } from './resolve.ts'
import { finishMoves } from './settle-name.ts'
import { writeHubRef } from './write-hub-ref.ts'

/** Makes room for blobs that are about to be downloaded, by their digests and sizes in bytes. */
type MakeRoom = (context: CacheContext, model: Model, missing: Map<Digest, number>, part?: EntryId) => Promise<void>

/** The last failure of a request to the Hub. Undefined after an answer. */
interface Tries {
  failure: unknown
}

interface CompleteOptions extends IntakeOptions {
  /** When the model was asked for, by the monotonic clock. */
  started: number
  makeRoom: MakeRoom
}

type WorkOptions = CompleteOptions & { tries: Tries }

/**
 * Makes a selection complete: verifies files on disk that have no valid record, downloads the rest, and records all. One
 * process at a time does this for a repo. A process that waited for its lock finds the files there, so each blob crosses
 * the network once.
 */
export async function completeModel(context: CacheContext, model: Model, options: CompleteOptions): Promise<Arrival> {
  const tries: Tries = { failure: undefined }
  // The limit also holds for a call that waits for another process to download the model.
  return withTimeLimit(context.options.hub.timeoutMs, options.signal, tooSlow(context, model, tries), (signal) =>
    completeUnderLock(context, model, { ...options, signal, tries }),
  )
}

function isOfDisk(error: unknown): boolean {
  return error instanceof ModelCacheError ? error.code === 'CACHE_UNUSABLE' : isSystemError(error)
}

// A restart happens when this process was stopped for long and lost its lock, or when the repo has another id.
const MOST_RESTARTS = 10

/** Works under the lock of the id by which the repo is stored. When the repo has another id by now, begins again under that id's lock. */
async function completeUnderLock(context: CacheContext, model: Model, options: WorkOptions): Promise<Arrival> {
  const { layout } = context
  let { repo } = await currentRepoId(context, model.repo)
  let waitedMs = 0
  if (!isWritable(layout)) throw await readOnly(context, model)
  for (let restarts = 0; ; restarts++) {
    await prepareCacheFolder(layout)
    const held = repo
    const isFree = !existsSync(layout.lock(held))
    const asked = originals.monotonic()
    const work = async (hold: Hold) => {
      if (!isFree) waitedMs += originals.monotonic() - asked
      const isLockLost = () => restarts < MOST_RESTARTS && !hold.isOurs()
      try {
        return await unlessRefused(context, model, options, () =>
          completeLocked(context, model, held, isLockLost, options),
        )
      } catch (error) {
        // The process that took the lock may have moved or removed files. That is not a failure of the disk.
        if (isOfDisk(error) && isLockLost() && !options.signal?.aborted) return held
        throw error
      }
    }
    const done = await withRepoLock(layout, held, work, options.signal)
    if (typeof done === 'object') return { ...done, waitedMs }
    repo = done
  }
}

async function readOnly(context: CacheContext, model: Model): Promise<ModelCacheError> {
  const found = await findOnDisk(context, model)
  const [wrong] = found?.changed ?? []
  const folder = `the cache folder ${context.layout.directory}`
  const entry = found && (await (await context.metadata()).find(entryKey(found)))
  const isPackedThere = entry && hasPacked(entry)
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Model ${describeModel(model)}`,
    reason: isPackedThere
      ? `It is packed in ${folder}, and this folder is read-only.`
      : wrong
        ? `In ${folder} the file ${wrong} is missing or is not what the Hub stated, and this folder is read-only.`
        : `It is not in ${folder}, and this folder is read-only.`,
    nextStep: isPackedThere
      ? `Restore it where the folder can be written: \`npx vitest-model-cache unpack ${model.repo}\`. Or set MODEL_CACHE_DIR to another folder.`
      : 'Download it where the folder can be written, or set MODEL_CACHE_DIR to another folder.',
  })
}

/**
 * A loader asks for each file of a model separately. For such a part, a refusal of the last seconds is thrown again, and the Hub
 * is not asked. A test that names the model asks the Hub again.
 */
async function unlessRefused<T>(
  { refusals }: CacheContext,
  model: Model,
  { isPart }: WorkOptions,
  work: () => Promise<T>,
): Promise<T> {
  const refused = isPart ? refusals.of(model) : undefined
  if (refused) throw refused
  try {
    const done = await work()
    refusals.forget(model)
    return done
  } catch (error) {
    refusals.note(model, error)
    throw error
  }
}

function tooSlow({ options }: CacheContext, model: Model, tries: Tries): (ms: number) => ModelCacheError {
  return (ms) => {
    const cause = tries.failure
    const { endpoint } = options.hub
    return new ModelCacheError({
      code: 'HUB_UNREACHABLE',
      asked: `Model ${describeModel(model)}`,
      ...(cause === undefined
        ? {
            reason: `Its download did not end within ${formatDuration(ms)}.`,
            nextStep: 'The next run resumes the download. To wait longer, raise `hub.timeout`.',
          }
        : {
            reason: `The Hub at ${endpoint} gave no usable answer within ${formatDuration(ms)}: ${rootMessage(cause)}.`,
            nextStep: 'Check the network, the proxy variables and HF_ENDPOINT. The next run tries again.',
          }),
      cause,
    })
  }
}

/** Returns a function that reports a wait for the Hub as progress. The number of bytes is not known yet. */
function waitReporter(
  model: Model,
  { onProgress, started, tries }: WorkOptions,
): (waitMs: number | undefined, failure?: unknown) => void {
  return (waitMs, failure) => {
    if (failure !== undefined) tries.failure = failure
    const elapsedMs = originals.monotonic() - started
    onProgress?.({ model: modelLabel(model), receivedBytes: 0, totalBytes: 0, elapsedMs, waitMs })
  }
}

/** Returns a repo id when the work has to begin again under the lock of that id. It may be the same id as before. */
async function completeLocked(
  context: CacheContext,
  asked: Model,
  held: RepoId,
  isLockLost: () => boolean,
  options: WorkOptions,
): Promise<Omit<Arrival, 'waitedMs'> | RepoId> {
  await sweepIncoming(context.layout)
  await finishMoves(context, held)
  const waitedFor = await findOnDisk(context, asked)
  if (waitedFor?.changed.length === 0) {
    await context.claim(waitedFor)
    return { ...NOTHING_DONE, located: waitedFor }
  }
  // The process that held the lock before may have moved the repo to a new name.
  const current = await currentRepoId(context, asked.repo)
  if (current.repo !== held) return current.repo
  const resolved = await resolve(context, asked, held, { signal: options.signal, onWait: waitReporter(asked, options) })
  options.tries.failure = undefined
  if (typeof resolved === 'string') return resolved
  const model = { ...asked, repo: resolved.repo }
  const intake = new Intake(context, model, resolved, await hubAccess(context), options)
  try {
    const { files, rule } = await planFiles({
      selection: model.selection,
      tree: resolved.tree,
      ownTask: intake.ownTask,
      entry: resolved.entry,
      readConfig: () => intake.readConfig(),
      asked: `Model ${describeModel(model)}`,
    }).catch((error) => {
      throw isUnknownFile(error, resolved, options) ? resolved.failure : error
    })
    context.debug(`Files of ${describeModel(model)}: ${files.length}, chosen by ${rule}`)
    await options.makeRoom(context, model, await intake.missing(files), options.isPart ? resolved : undefined)
    await intake.ensure(files)
    // Packing removed the ref that other tools read.
    if (intake.unpackedBytes > 0) await writeHubRef(context, { ...resolved, revision: model.revision })
    const keys = options.isPart ? [] : [selectionKey(model.selection)]
    // `pipeline()` with the repo's own task selects the same files. They are recorded under that task too, so no new plan is needed.
    if (rule === 'own task') keys.push(selectionKey({ ...model.selection, task: intake.ownTask }))
    // A partial listing may lack files, so its selections are not recorded: a later run would take them for complete.
    const known = resolved.isPartial ? [] : keys
    const recorded = intake.record(known.map((key) => ({ key, files, used: false })))
    // The claim comes before the lock is released, because other processes may remove the entry from then on.
    await context.claim(recorded)
    await recordEntry(context, recorded, await intake.synced())
    // A process that took the lock while this one was stopped may have removed files that this one had found.
    if (isLockLost() && !(await isStillThere(context, recorded, files))) return held
    return arrivalOf(context, intake, recorded, files)
  } catch (error) {
    // The files that are complete are recorded, so that they count to the size of the cache. The error is thrown in any case.
    // When the Hub stated that a file does not exist, the access to the repo is recorded too.
    const soFar = intake.record([])
    const isAbsent = options.isPart && error instanceof ModelCacheError && error.code === 'FILE_NOT_FOUND'
    const recordSoFar = async () => recordEntry(context, soFar, await intake.synced())
    if (soFar.files.size > 0 || (isAbsent && resolved.info)) await recordSoFar().catch(() => undefined)
    throw error
  }
}

/**
 * True when a partial listing lacks a file that a selection names: the repo may have it, and the Hub gave no answer. A loader that
 * asks for one file is told that there is none, because it asks for files that few repos have.
 */
function isUnknownFile(error: unknown, { isPartial, failure }: Resolved, { isPart }: WorkOptions): boolean {
  const isAbsent = error instanceof ModelCacheError && error.code === 'FILE_NOT_FOUND'
  return isAbsent && isPartial === true && failure !== undefined && !isPart
}

async function isStillThere(context: CacheContext, entry: Entry, paths: HubPath[]): Promise<boolean> {
  const located = await compareWithDisk(context, entry, paths, entry.files, 'stat')
  return located?.changed.length === 0
}

function arrivalOf(
  context: CacheContext,
  intake: Intake,
  recorded: Entry,
  files: HubPath[],
): Omit<Arrival, 'waitedMs'> {
  const { model, resolved, downloadMs, downloadedBytes, restoreMs, restoredBytes } = intake
  const { unpackedBytes, adoptedBytes, repaired } = intake
  if (downloadMs !== null)
    context.debug(
      `💾 Caching model: ${describeModel(model)} (${formatSize(downloadedBytes)} in ${formatDuration(downloadMs)})`,
    )
  return {
    located: {
      ...{ repo: model.repo, commit: resolved.commit, snapshot: resolved.snapshot },
      files: new Map(files.map((path) => [path, resolved.tree.get(path)?.size ?? 0])),
      recordedDownloadMs: recordedDownloadMs(recorded, files),
      warmedInThisRun: false,
      changed: [],
    },
    tier: tierOf(intake),
    ...{ downloadMs, downloadedBytes, restoreMs, restoredBytes, unpackedBytes, adoptedBytes, repaired },
  }
}

/** The farthest place from which a file came. */
function tierOf({ downloadMs, restoreMs, unpackedBytes, restoredBytes, adoptedBytes }: Intake): Arrival['tier'] {
  if (downloadMs !== null) return 'hub'
  if (restoreMs !== null) return restoredBytes > 0 || unpackedBytes === 0 ? 'remote' : 'cold'
  return adoptedBytes > 0 ? 'adopted' : 'disk'
}
