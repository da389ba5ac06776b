import { availableParallelism } from 'node:os'
import pLimit from 'p-limit'
import { type Entry, type EntryFile, entryKey, isPacked } from '../model/entry.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import type { HubPath } from '../model/hub-path.ts'
import { groupBy } from '../platform/group-by.ts'
import { linkedController } from '../platform/originals.ts'
import type { CacheContext } from './context/context.ts'
import { repairFiles } from './intake/repair.ts'
import { listEntries } from './lookup/list-entries.ts'
import { isAsRecorded } from './store/blobs.ts'
import { isWritable } from './store/cache-folder.ts'
import { DigestPool, type Flaw } from './store/downloads/digest-pool.ts'
import { checkSkeletons } from './upkeep/check-skeletons.ts'
import { recordStrangers } from './upkeep/record-strangers.ts'

export interface VerifyOptions {
  /** True: wrong files are downloaded again now. Without it, that happens when the model is next asked for. */
  repair?: boolean
  signal?: AbortSignal
  onProgress?: (progress: VerifyProgress) => void
}

export interface VerifyProgress {
  files: number
  totalFiles: number
  /** Bytes. */
  bytes: number
  /** Bytes. */
  totalBytes: number
}

/** A file that differs from what its endpoint stated. */
export interface Problem {
  repo: string
  revision: string
  commit: string
  path: string
  what: Flaw
  /** The endpoint that stated its digest. Null when that is not known. */
  endpoint: string | null
  isRepaired: boolean
  /** Why the repair failed. */
  error?: string
}

export interface Verification {
  entries: number
  files: number
  /** Bytes. */
  bytes: number
  problems: Problem[]
}

interface Todo {
  entry: Entry
  path: HubPath
  file: EntryFile
}

interface Check {
  entry: Entry
  path: HubPath
  what: Flaw | undefined
}

/** Recomputes the digests of entries on all cores. A wrong file is not served any more, also without a repair. */
export async function verifyEntries(
  context: CacheContext,
  entries: Entry[],
  options: VerifyOptions = {},
): Promise<Verification> {
  await recordStrangers(context)
  const onDisk = await checkOnDisk(context, entries, options)
  const checks = [...onDisk, ...(await checkPacked(context, entries, options.signal))]
  const flawed = checks.filter(({ what }) => what !== undefined)
  await checkSkeletons(
    context,
    onDisk.filter(({ what }) => what === undefined),
  )
  const now = new Map(flawed.length === 0 ? [] : (await listEntries(context)).map((entry) => [entryKey(entry), entry]))
  // The model may have been removed or downloaded again meanwhile. Then its record is gone or differs, and the flaw no longer counts.
  const wrong = flawed.filter(({ entry, path }) =>
    isAsRecorded(now.get(entryKey(entry))?.files.get(path), entry.files.get(path)),
  )
  await resetStamps(context, wrong)
  const problems: Problem[] = []
  for (const [entry, ofEntry] of groupBy(wrong, (check) => check.entry)) {
    const error = options.repair ? await tryRepair(context, ofEntry, entry, options.signal) : undefined
    const isRepaired = options.repair === true && error === undefined
    const { repo, revision, commit, endpoint = null } = entry
    for (const { path, what = 'missing' } of ofEntry)
      problems.push({ repo, revision, commit, path, what, endpoint, isRepaired, error })
  }
  const files = checks.map(({ entry, path }) => entry.files.get(path)?.size ?? 0)
  return { entries: entries.length, files: files.length, bytes: files.reduce((sum, size) => sum + size, 0), problems }
}

async function checkOnDisk(context: CacheContext, entries: Entry[], options: VerifyOptions): Promise<Check[]> {
  const todo = filesOf(entries).filter(({ file }) => !isPacked(file))
  const totalBytes = todo.reduce((sum, { file }) => sum + file.size, 0)
  const progress = { files: 0, totalFiles: todo.length, bytes: 0, totalBytes }
  const pool = new DigestPool()
  // Each waiting batch would listen to the signal, and there may be thousands. So only as many are started as there are cores.
  const limit = pLimit(availableParallelism())
  const { controller, unlink } = linkedController(options.signal)
  const checkBatch = async (batch: Todo[]): Promise<Check[]> => {
    controller.signal.throwIfAborted()
    const files = batch.map(({ entry, path, file: { digest, size } }) => {
      return { path: context.layout.file(entry.repo, entry.snapshot, path), digest, size }
    })
    const flaws = await pool.check(files, controller.signal)
    return batch.map(({ entry, path, file }, index) => {
      controller.signal.throwIfAborted()
      progress.files++
      progress.bytes += file.size
      options.onProgress?.({ ...progress })
      return { entry, path, what: flaws[index] ?? undefined }
    })
  }
  const checks = batchesOf(todo).map((batch) => limit(checkBatch, batch))
  try {
    return (await Promise.all(checks)).flat()
  } finally {
    // After a failure, the other batches end too.
    controller.abort()
    await Promise.allSettled(checks)
    unlink()
    await pool.close()
  }
}

function filesOf(entries: Entry[]): Todo[] {
  return entries.flatMap((entry) => [...entry.files].map(([path, file]) => ({ entry, path, file })))
}

/** Decodes what is packed, and computes its digests. A content that several files have is checked once. */
async function checkPacked(context: CacheContext, entries: Entry[], signal?: AbortSignal): Promise<Check[]> {
  const todo = filesOf(entries).filter(({ file }) => isPacked(file))
  if (todo.length === 0) return []
  const { packedFlaws } = await import('./store/packs/packed-flaws.ts')
  const files = todo.map(({ file }) => file)
  const flaws = await packedFlaws(context.layout, files, signal)
  return todo.map(({ entry, path, file }) => ({ entry, path, what: flaws.get(file.digest) }))
}

// Handing a small file to a thread takes ten times as long as reading it.
const BATCH = { files: 64, bytes: 4 << 20 }

/** Makes batches of small files. A large file is a batch of its own. */
function batchesOf(todo: Todo[]): Todo[][] {
  const batches: Todo[][] = []
  let room = { files: 0, bytes: 0 }
  for (const each of todo) {
    if (room.files < 1 || room.bytes < each.file.size) {
      batches.push([])
      room = { ...BATCH }
    }
    batches.at(-1)?.push(each)
    room = { files: room.files - 1, bytes: room.bytes - each.file.size }
  }
  return batches
}

/** Resets the recorded stamps (size, time, inode) of wrong files, so that they are verified and replaced before they are served again. */
async function resetStamps(context: CacheContext, wrong: Check[]): Promise<void> {
  // In a read-only folder each process verifies what it serves.
  if (wrong.length === 0 || !isWritable(context.layout)) return
  const metadata = await context.metadata()
  await metadata.update((entries) => {
    for (const { entry, path } of wrong) {
      const file = entries.get(entryKey(entry))?.files.get(path)
      if (file) Object.assign(file, { mtimeMs: 0, ino: '0' })
    }
  })
}

/** Repairs the wrong files of an entry. Returns the reason when that fails. */
async function tryRepair(
  context: CacheContext,
  wrong: Check[],
  entry: Entry,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    await repairFiles(
      context,
      entry,
      wrong.map(({ path }) => path),
      signal,
    )
    return undefined
  } catch (error) {
    if (signal?.aborted || !(error instanceof ModelCacheError)) throw error
    return messageOf(error)
  }
}
