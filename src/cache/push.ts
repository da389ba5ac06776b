import { formatDuration } from '../config/units.ts'
import { type Entry, hasPacked } from '../model/entry.ts'
import { asSentence, isSystemError, messageOf } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import { linkedController, originals } from '../platform/originals.ts'
import type { Remote } from '../remote/remote.ts'
import { readSigningKey, type SigningKey } from '../remote/signature.ts'
import { RemoteError } from '../remote/store.ts'
import { UnusableObject } from '../remote/unusable.ts'
import type { CacheContext } from './context/context.ts'
import { OtherContents } from './share/other-contents.ts'
import { reasonOfAccess, statementOf } from './share/statement-of.ts'
import { writableRemote } from './share/store-of.ts'
import { ForeignObject, Upload } from './share/upload.ts'
import { uploadModel } from './share/upload-model.ts'
import { DamagedFile } from './share/verified-body.ts'
import { unpackEntries } from './unpack.ts'

export interface PushOptions {
  /** True: nothing is sent. The result says what would be sent. */
  dryRun?: boolean
  onProgress?: (progress: PushProgress) => void
  signal?: AbortSignal
  /** What is not sent after this many milliseconds is left. */
  timeLimitMs?: number
  /** A call of the remote without progress for this many milliseconds has failed. Default: 60,000. */
  stallMs?: number
}

export interface PushProgress {
  model: string
  /** Bytes of this model that were sent, or that the remote had already. */
  bytes: number
  /** Bytes of all files of this model. */
  totalBytes: number
}

/** What was done for one model. */
export interface PushedModel {
  repo: string
  revision: string
  commit: string
  /** The cached files of the model. Files with the same content count once. */
  files: number
  /** Bytes of these files. */
  bytes: number
  /** Bytes that were sent, or with `dryRun` would be. */
  sentBytes: number
  /** Bytes of files that the remote had already. */
  presentBytes: number
  /**
   * `shared`: the remote has it now. `skipped`: it must not be shared. `left`: the push ended before it was sent. `failed`: it could not be
   * sent. The reason for all but `shared` is a sentence.
   */
  outcome: 'shared' | 'skipped' | 'left' | 'failed'
  reason?: string
}

/**
 * Writes models of the cache into the remote. What the remote has already is not sent again. A model that fails does not end the push; a
 * remote that fails does. Throws `INVALID_OPTION` without a remote or with a signing key that is too short, and `REMOTE_UNUSABLE` if this
 * process may not write to the remote.
 */
export async function pushEntries(
  context: CacheContext,
  entries: Readonly<Entry>[],
  { dryRun = false, onProgress, signal, timeLimitMs, stallMs = context.options.stallMs }: PushOptions = {},
): Promise<PushedModel[]> {
  const key = readSigningKey(context.env)
  const remote = await writableRemote(context)
  const { controller, unlink } = linkedController(signal ?? context.options.signal)
  const late = new OutOfTime(`It was not sent within ${formatDuration(timeLimitMs ?? 0)}.`)
  const timer = timeLimitMs === undefined ? undefined : originals.setTimeout(() => controller.abort(late), timeLimitMs)
  const upload = new Upload(remote.store, { signal: controller.signal, stallMs, isDry: dryRun })
  const pushed: PushedModel[] = []
  let end: string | undefined
  let failuresInARow = 0
  try {
    for (const entry of entries) {
      if (end !== undefined) {
        pushed.push({ ...nothingSent(entry), outcome: 'left', reason: end })
        continue
      }
      if (!dryRun && hasPacked(entry)) await unpackEntries(context, [entry], { signal: controller.signal })
      const one = await pushEntry(context, entry, { remote, upload, key, onProgress })
      pushed.push(one)
      failuresInARow = one.outcome === 'failed' ? failuresInARow + 1 : 0
      if (one.outcome === 'left' || failuresInARow === MOST_FAILURES) end = one.reason
    }
    return pushed
  } finally {
    originals.clearTimeout(timer)
    unlink()
  }
}

const MOST_FAILURES = 3

class OutOfTime extends Error {
  override readonly name = 'OutOfTime'
}

interface Work {
  remote: Remote
  upload: Upload
  key: SigningKey | undefined
  onProgress: PushOptions['onProgress']
}

async function pushEntry(context: CacheContext, entry: Readonly<Entry>, work: Work): Promise<PushedModel> {
  const nothing = nothingSent(entry)
  const statement = await statementOf(context, entry)
  if (typeof statement === 'string') return { ...nothing, outcome: 'skipped', reason: statement }
  const bytes = statement.files.reduce((sum, { size }) => sum + size, 0)
  const pushed = { ...nothing, files: statement.files.length, bytes }
  const restricted = reasonOfAccess(context, statement.access)
  if (restricted !== undefined) return { ...pushed, outcome: 'skipped', reason: restricted }
  const tell = () => {
    const done = Math.min(bytes, pushed.sentBytes + pushed.presentBytes)
    work.onProgress?.({ model: modelLabel(entry), bytes: done, totalBytes: bytes })
  }
  const count = {
    sent: (more: number) => {
      pushed.sentBytes += more
      tell()
    },
    present: (more: number) => {
      pushed.presentBytes += more
      tell()
    },
  }
  const { repo, commit } = entry
  try {
    const model = { endpoint: statement.endpoint, repo, commit }
    const other = new OtherContents(context, work.upload, model)
    await uploadModel(work.upload, model, statement, { key: work.key, count, other })
    return { ...pushed, outcome: 'shared' }
  } catch (error) {
    return { ...pushed, ...failureOf(context, work, error) }
  }
}

function nothingSent({ repo, revision, commit }: Readonly<Entry>): Omit<PushedModel, 'outcome'> {
  return { repo, revision, commit, files: 0, bytes: 0, sentBytes: 0, presentBytes: 0 }
}

/** Throws what no push can go on from. */
function failureOf(
  context: CacheContext,
  { remote, upload }: Work,
  error: unknown,
): Pick<PushedModel, 'outcome' | 'reason'> {
  if (error instanceof OutOfTime) return { outcome: 'left', reason: error.message }
  upload.options.signal.throwIfAborted()
  if (error instanceof RemoteError && error.failure !== 'failed') {
    if (error.failure === 'denied') {
      remote.refusal = error.message
      context.warn(`${asSentence(error.message)} This process only reads from the remote now.`)
    }
    return { outcome: 'left', reason: asSentence(error.message) }
  }
  if (error instanceof RemoteError) return { outcome: 'failed', reason: asSentence(error.message) }
  if (error instanceof DamagedFile)
    return { outcome: 'failed', reason: `${error.message}. Repair it: \`npx vitest-model-cache verify --repair\`.` }
  if (error instanceof ForeignObject || error instanceof UnusableObject)
    return {
      outcome: 'failed',
      reason: `${asSentence(error.message)} Objects are not overwritten: remove it from the remote.`,
    }
  if (isSystemError(error))
    return { outcome: 'failed', reason: asSentence(`A file of the cache can't be read: ${messageOf(error)}`) }
  throw error
}
