import { availableParallelism } from 'node:os'
import pLimit from 'p-limit'
import { type Entry, type EntryFile, entryKey } from '../model/entry.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import type { HubPath } from '../model/hub-path.ts'
import { linkedController } from '../platform/originals.ts'
import type { CacheContext } from './context.ts'
import { repairFiles } from './repair.ts'
import { stampOf } from './store/blobs.ts'
import { DigestPool } from './store/digest-pool.ts'

export interface VerifyOptions {
  /** Bring in anew what is wrong. Without it, that happens when the model is next asked for. */
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

/** A file that is not what the Hub stated. */
export interface Problem {
  repo: string
  revision: string
  commit: string
  path: string
  what: 'missing' | 'wrong size' | 'wrong digest'
  isRepaired: boolean
  /** Why it could not be repaired. */
  error?: string
}

export interface Verification {
  entries: number
  files: number
  /** Bytes. */
  bytes: number
  problems: Problem[]
}

interface Check {
  entry: Entry
  path: HubPath
  what: Problem['what'] | undefined
}

/** Recomputes the digests of entries on all cores. What is wrong is not served any more, whether it is repaired or not. */
export async function verifyEntries(
  context: CacheContext,
  entries: Entry[],
  options: VerifyOptions = {},
): Promise<Verification> {
  const checks = await checkAll(context, entries, options)
  const metadata = await context.metadata()
  const recorded = await metadata.all()
  // What was removed meanwhile is nobody's trouble.
  const wrong = checks.filter(({ entry, what }) => what !== undefined && recorded.has(entryKey(entry)))
  await distrust(context, wrong)
  const problems: Problem[] = []
  for (const entry of new Set(wrong.map(({ entry }) => entry))) {
    const ofEntry = wrong.filter((check) => check.entry === entry)
    const error = options.repair ? await tryRepair(context, ofEntry, entry, options.signal) : undefined
    const isRepaired = options.repair === true && error === undefined
    const { repo, revision, commit } = entry
    for (const { path, what = 'missing' } of ofEntry)
      problems.push({ repo, revision, commit, path, what, isRepaired, error })
  }
  const files = checks.map(({ entry, path }) => entry.files.get(path)?.size ?? 0)
  return { entries: entries.length, files: files.length, bytes: files.reduce((sum, size) => sum + size, 0), problems }
}

async function checkAll(context: CacheContext, entries: Entry[], options: VerifyOptions): Promise<Check[]> {
  const todo = entries.flatMap((entry) => [...entry.files].map(([path, file]) => ({ entry, path, file })))
  const totalBytes = todo.reduce((sum, { file }) => sum + file.size, 0)
  const progress = { files: 0, totalFiles: todo.length, bytes: 0, totalBytes }
  const pool = new DigestPool()
  // Each file that waits listens to the signal, and there may be thousands: no more than keep the threads busy.
  const limit = pLimit(2 * availableParallelism())
  const { controller, unlink } = linkedController(options.signal)
  try {
    return await Promise.all(
      todo.map(({ entry, path, file }) =>
        limit(async () => {
          controller.signal.throwIfAborted()
          const absolute = context.layout.file(entry.repo, entry.commit, path)
          const what = await findProblem(pool, absolute, file, controller.signal)
          progress.files++
          progress.bytes += file.size
          options.onProgress?.({ ...progress })
          return { entry, path, what }
        }),
      ),
    )
  } finally {
    unlink()
    await pool.close()
  }
}

async function findProblem(
  pool: DigestPool,
  path: string,
  { digest, size }: EntryFile,
  signal?: AbortSignal,
): Promise<Problem['what'] | undefined> {
  const stamp = await stampOf(path)
  if (!stamp) return 'missing'
  if (stamp.size !== size) return 'wrong size'
  try {
    return (await pool.matches(path, digest, size, signal)) ? undefined : 'wrong digest'
  } catch (error) {
    if (!(await stampOf(path))) return 'missing'
    throw error
  }
}

/** Opens the stamps of what is wrong, so that it is verified and replaced before it is served again. */
async function distrust(context: CacheContext, wrong: Check[]): Promise<void> {
  if (wrong.length === 0) return
  const metadata = await context.metadata()
  await metadata.update((entries) => {
    for (const { entry, path } of wrong) {
      const file = entries.get(entryKey(entry))?.files.get(path)
      if (file) Object.assign(file, { mtimeMs: 0, ino: '0' })
    }
  })
}

/** Why it could not be repaired; undefined when it was. */
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
