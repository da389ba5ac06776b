import { createReadStream } from 'node:fs'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { formatSize } from '../config/units.ts'
import { type Digest, Hasher } from '../model/digest.ts'
import type { Entry } from '../model/entry.ts'
import { ModelCacheError, messageOf } from '../model/errors.ts'
import { modelLabel } from '../model/model.ts'
import { archiveOf } from './archive/archive-writer.ts'
import { type Compression, compressionFor, compressor } from './archive/compression.ts'
import { blobsOf, bytesOf, LARGEST_CONTENTS, printContents } from './archive/contents.ts'
import { checkNewFile, writeNewFile } from './archive/new-file.ts'
import { isOutOfProportion, LARGEST_RATIO } from './archive/ratio.ts'
import type { CacheContext } from './context/context.ts'
import { archivedModels } from './inspect/archived-model.ts'
import { onDisk } from './unpack.ts'

export interface ExportOptions {
  /** Replaces a file that exists. */
  force?: boolean
  /** Only computes what would be written. */
  dryRun?: boolean
  signal?: AbortSignal
  onProgress?: (progress: { bytes: number; totalBytes: number }) => void
}

export interface Exported {
  entries: Entry[]
  /** The bytes of all files. A content that several files have counts once. */
  bytes: number
  /** The bytes of the archive. Null if nothing was written. */
  archiveBytes: number | null
  compression: Compression
}

const READ_BYTES = 1 << 20

/**
 * Writes entries into one archive: at a path, compressed as its ending says, or uncompressed to a stream. Each file is verified while it
 * is written. A file at the path is replaced only with `force`, and nothing is left of an archive that was not finished.
 */
export async function exportEntries(
  context: CacheContext,
  chosen: Entry[],
  target: string | Writable,
  options: ExportOptions = {},
): Promise<Exported> {
  const { signal = context.options.signal, force = false, dryRun } = options
  if (chosen.length === 0) throw nothingToExport(context)
  if (typeof target === 'string') checkNewFile(target, { force })
  const compression = typeof target === 'string' ? compressionFor(target) : 'none'
  const entries = dryRun ? chosen : await onDisk(context, chosen, signal)
  const models = await archivedModels(context, entries)
  const contents = Buffer.from(printContents(models))
  if (contents.length > LARGEST_CONTENTS) throw tooMuch(target, contents.length)
  const bytes = bytesOf(models)
  const exported = { entries, bytes, compression }
  if (dryRun) return { ...exported, archiveBytes: null }
  let archiveBytes = 0
  const count = async function* (stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      archiveBytes += chunk.length
      yield chunk
    }
  }
  const files = filesByDigest(context, entries)
  let done = 0
  const onBytes = (count: number) => {
    done += count
    options.onProgress?.({ bytes: done, totalBytes: bytes })
  }
  const source = Readable.from(
    archiveOf(contents, blobsOf(models), (digest, size) =>
      verified({ digest, size, onBytes, ...fileOf(files, digest) }),
    ),
    { objectMode: false },
  )
  const compressed = compressor(compression)
  const write = async (out: Writable) => {
    await (compressed ? pipeline(source, compressed, count, out, { signal }) : pipeline(source, count, out, { signal }))
    if (compressed && isOutOfProportion(bytes, archiveBytes)) throw outOfProportion(target)
  }
  await (typeof target === 'string' ? writeNewFile(target, write, { force }) : write(target))
  return { ...exported, archiveBytes }
}

interface File {
  entry: Entry
  name: string
  path: string
}

function filesByDigest({ layout }: CacheContext, entries: Entry[]): Map<Digest, File> {
  const files = entries.flatMap((entry) =>
    [...entry.files].map(([name, { digest }]): [Digest, File] => [
      digest,
      { entry, name, path: layout.file(entry.repo, entry.snapshot, name) },
    ]),
  )
  return new Map(files)
}

function fileOf(files: Map<Digest, File>, digest: Digest): File {
  const file = files.get(digest)
  if (!file) throw new Error(`No entry has the content ${digest}`)
  return file
}

/** The content of a file. Throws `DIGEST_MISMATCH` for a wrong one. */
async function* verified({
  path,
  digest,
  size,
  onBytes,
  ...file
}: File & { digest: Digest; size: number; onBytes: (bytes: number) => void }): AsyncGenerator<Buffer> {
  const hasher = new Hasher(digest, size)
  let read = 0
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: Math.min(size + 1, READ_BYTES) })) {
      read += chunk.length
      if (read > size) throw damaged(file)
      hasher.update(chunk)
      onBytes(chunk.length)
      yield chunk
    }
  } catch (error) {
    throw error instanceof ModelCacheError ? error : damaged(file, error)
  }
  if (read !== size || hasher.digest() !== digest) throw damaged(file)
}

function damaged({ entry, name }: Pick<File, 'entry' | 'name'>, cause?: unknown): ModelCacheError {
  return new ModelCacheError({
    code: 'DIGEST_MISMATCH',
    asked: `File ${name} of ${modelLabel(entry)}`,
    reason:
      cause === undefined ? 'It is not what the Hub stated.' : `It can't be read from the cache: ${messageOf(cause)}.`,
    nextStep: 'No archive was written. Repair the cache: `npx vitest-model-cache verify --repair`.',
    cause,
  })
}

/** `import` would refuse such an archive. */
function outOfProportion(target: string | Writable): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: archiveName(target),
    reason: `Its models shrink to less than 1/${LARGEST_RATIO} of their size, as no real weights do. \`import\` refuses that.`,
    nextStep: 'Name it .tar, so that it is not compressed. Nothing was written.',
  })
}

/** `import` would refuse such an archive. */
function tooMuch(target: string | Writable, bytes: number): ModelCacheError {
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: archiveName(target),
    reason: `The list of its contents would take ${formatSize(bytes)}. \`import\` reads at most ${formatSize(LARGEST_CONTENTS)} of it.`,
    nextStep: 'Export fewer models into one archive. Nothing was written.',
  })
}

function archiveName(target: string | Writable): string {
  return `Archive ${typeof target === 'string' ? target : 'to standard output'}`
}

function nothingToExport({ layout }: CacheContext): ModelCacheError {
  return new ModelCacheError({
    code: 'MODEL_NOT_FOUND',
    asked: `Cache folder ${layout.directory}`,
    reason: 'It holds no model to export.',
    nextStep: 'Download one first: `npx vitest-model-cache warm org/name`. Nothing was written.',
  })
}
