import type { Readable } from 'node:stream'
import { formatSize } from '../config/units.ts'
import { type Digest, Hasher } from '../model/digest.ts'
import type { Entry } from '../model/entry.ts'
import { isSystemError, ModelCacheError, messageOf } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import type { RepoId } from '../model/repo-id.ts'
import { snapshotOf } from '../model/snapshot.ts'
import { ArchiveReader } from './archive/archive-reader.ts'
import { type ArchivedModel, blobsOf, bytesOf } from './archive/contents.ts'
import { refused } from './archive/refusal.ts'
import type { CacheContext } from './context/context.ts'
import { type ImportedModel, importModel } from './intake/import-model.ts'
import { findLocked, refuseDifferent } from './lookup/locked.ts'
import { storedTree } from './lookup/stored-answers.ts'
import { isWritable } from './store/cache-folder.ts'
import { prepareCacheFolder } from './store/locks/prepare-cache-folder.ts'
import { makeRoomFor } from './upkeep/make-room.ts'

export interface ImportOptions {
  /** Only reads and checks the archive. */
  dryRun?: boolean
  signal?: AbortSignal
  onProgress?: (progress: { bytes: number; totalBytes: number }) => void
}

export interface Imported {
  models: { archived: ArchivedModel; entry?: Entry; addedFiles: number | null }[]
  /** The bytes of all files of the archive. A content that several files have counts once. */
  bytes: number
}

/**
 * Takes over the models of an archive: a file, or what a stream delivers. Models are complete one after the other. If the archive turns
 * out to be cut off or damaged, or the call is ended, those before that point stay. Throws `ARCHIVE_REFUSED`, `LOCK_MISMATCH` and
 * `TOO_LARGE`.
 */
export async function importArchive(
  context: CacheContext,
  source: string | Readable,
  options: ImportOptions = {},
): Promise<Imported> {
  const { signal = context.options.signal, dryRun } = options
  if (context.refusal) throw context.refusal
  if (!dryRun && !isWritable(context.layout)) throw readOnly(context)
  const archive = await ArchiveReader.open(source, signal)
  try {
    const bytes = bytesOf(archive.models)
    checkLimit(context, archive, bytes)
    for (const model of archive.models) await refuseContradiction(context, model, archive.name)
    let done = 0
    const onBytes = (count: number) => {
      done += count
      options.onProgress?.({ bytes: done, totalBytes: bytes })
    }
    if (dryRun) {
      await checkBlobs(archive, onBytes, signal)
      return { models: archive.models.map((archived) => ({ archived, addedFiles: null })), bytes }
    }
    await prepareCacheFolder(context.layout)
    await makeRoom(context, archive)
    return { models: await importAll(context, archive, onBytes, signal), bytes }
  } finally {
    await archive.close()
  }
}

async function importAll(
  context: CacheContext,
  archive: ArchiveReader,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Imported['models']> {
  const imported: (ImportedModel & { archived: ArchivedModel })[] = []
  const brought = new Map<Digest, RepoId>()
  try {
    if (archive.models.length === 0) await archive.end()
    for (const [index, archived] of archive.models.entries()) {
      const isLast = index === archive.models.length - 1
      const beforeRecord = async () => (isLast ? archive.end() : undefined)
      imported.push({
        archived,
        ...(await importModel(context, archived, { archive, brought, beforeRecord, onBytes, signal })),
      })
    }
  } catch (error) {
    throw signal?.aborted ? error : withOutcome(error, archive, imported.length)
  }
  return imported.map(({ archived, entry, added }) => ({ archived, entry, addedFiles: added.length }))
}

/** The error of an archive that turned out to be wrong after its beginning, with what was imported. */
function withOutcome(error: unknown, { models }: ArchiveReader, count: number): unknown {
  const [before, after] = [models.slice(0, count), models.slice(count)].map((part) => part.map(modelLabel).join(', '))
  const stays = count === 0 ? 'No model was imported.' : `Imported before that: ${before}. Not imported: ${after}.`
  if (isSystemError(error)) return unusable(`${messageOf(error)}. ${stays}`, error)
  if (!(error instanceof ModelCacheError)) return error
  const { code, asked, reason, nextStep } = error
  return new ModelCacheError({ code, asked, reason: `${reason} ${stays}`, nextStep, cause: error.cause })
}

/** Compares each content with its digest, and keeps none. */
async function checkBlobs(
  archive: ArchiveReader,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (const [digest, size] of blobsOf(archive.models)) {
    const hasher = new Hasher(digest, size)
    await archive.readBlob(digest, size, (piece) => {
      signal?.throwIfAborted()
      hasher.update(piece)
      onBytes(piece.length)
    })
    const received = hasher.digest()
    if (received !== digest)
      throw refused(archive.name, `It is damaged: a file has the digest ${received} in place of ${digest}.`)
  }
  await archive.end()
}

/** The files that the lock file or the endpoint states for the same commit must be the same. */
async function refuseContradiction(context: CacheContext, model: ArchivedModel, name: string): Promise<void> {
  const { repo, commit, files, listing = files } = model
  const locked = findLocked(context, { repo, revision: commit })
  if (locked) refuseDifferent(context, locked, listing, `the archive ${name}`)
  const isOfOtherHub = model.endpoint !== context.origin.endpoint
  if (isOfOtherHub || (await context.whoElseWrites({ repo, snapshot: snapshotOf(commit) }))) return
  const stored = await storedTree(context, repo, commit)
  for (const [path, { digest }] of stored ? listing : []) {
    const stated = stored?.get(path)
    if (stated?.digest === digest) continue
    throw refused(
      name,
      `${JSON.stringify(path)} of ${modelLabel(model)} has the digest ${digest} in it, and ${context.origin.endpoint} stated ${stated?.digest ?? 'no such file'}.`,
      'The archive was changed: do not use it.',
    )
  }
}

function checkLimit(context: CacheContext, { name }: ArchiveReader, bytes: number): void {
  const { maxSize } = context.options
  if (bytes <= maxSize) return
  throw new ModelCacheError({
    code: 'TOO_LARGE',
    asked: `Archive ${name}`,
    reason: `Its models take ${formatSize(bytes)}, and the limit of the whole cache is ${formatSize(maxSize)}.`,
    nextStep: `Set \`maxSize\` (MODEL_CACHE_MAX_SIZE) to more than ${formatSize(bytes)}, or export fewer models. Nothing was changed.`,
  })
}

/** Makes room for the contents that no commit of their repos has. */
async function makeRoom(context: CacheContext, { name, models }: ArchiveReader): Promise<void> {
  const metadata = await context.metadata()
  const entries = [...(await metadata.all()).values()]
  const repos = [...new Set(models.map(({ repo }) => repo))]
  const known = new Set(
    entries
      .filter(({ repo }) => repos.includes(repo))
      .flatMap(({ files }) => [...files.values()].map(({ digest }) => digest)),
  )
  const missing = [...blobsOf(models)].filter(([digest]) => !known.has(digest))
  await makeRoomFor(
    context,
    `Archive ${name}`,
    repos,
    missing.reduce((sum, [, size]) => sum + size, 0),
  )
}

function readOnly({ layout }: CacheContext): ModelCacheError {
  return unusable(`The cache folder ${layout.directory} is read-only for this user. Nothing was changed.`)
}

function unusable(reason: string, cause?: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: 'Import',
    reason,
    nextStep: 'Check the permissions and the disk of the cache folder, or set MODEL_CACHE_DIR to another one.',
    cause,
  })
}
