import { constants } from 'node:fs'
import { copyFile, lstat, readFile, rename, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { blobNameOf, type Digest } from '../../../model/digest.ts'
import { type Span, Spans } from '../../../model/spans.ts'
import { originals } from '../../../platform/originals.ts'
import { diskNow, writeAtomically } from '../atomic-write.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../list-folder.ts'
import { withFreeLock } from '../locks/lock.ts'
import { isGone, isOwner, type Owner, stateOf } from '../locks/owner.ts'
import { isIncompleteName, isIncompleteOrNoteName, isTakeoverLockName, isTemporaryName } from '../own-names.ts'
import { sweepRemovals } from '../removal/aside.ts'
import { mayRemove, removeAside, removeFile, removeUnique } from '../remove-own.ts'

const ABANDONED_AFTER_MS = 24 * 3_600_000
// A writer on another machine changes its file more often than this.
const SILENT_AFTER_MS = 10 * 60_000

/** The note beside an unfinished download. */
export interface Note extends Partial<Owner> {
  /** The ETag of the content at the server. */
  etag?: string
  /** The parts that are on disk. Undefined: the file has no gaps. */
  written?: readonly Span[]
  /** True when the note is damaged or missing. */
  isLost?: boolean
}

/** What an earlier download left of a blob. */
export interface Leftover {
  etag?: string
  /** The length of the file in bytes, its gaps included. */
  length: number
  written: readonly Span[]
}

/** The path of the note beside an unfinished download. */
export function noteOf(path: string): string {
  return `${path}.json`
}

/** Writes the note of the unfinished download at `path`. A note without an owner says that the download was abandoned. */
export async function writeNote(path: string, note: Note): Promise<void> {
  writeAtomically(noteOf(path), JSON.stringify(note))
}

/**
 * Moves or copies an earlier unfinished download of a blob to `path`, and returns which bytes it has. The file of a writer that has
 * certainly ended is moved. A silent writer may continue and write to its open file, so its file is copied: a late write can then
 * not change a file that was verified. Returns a length of 0 when there is nothing to continue.
 */
export async function takeOver(layout: Layout, digest: Digest, path: string): Promise<Leftover> {
  const prefix = `${blobNameOf(digest)}.`
  const names = incompleteNames(layout).filter((name) => name.startsWith(prefix))
  for (const name of names) {
    const left = join(layout.incoming, name)
    const note = await readNote(left)
    const writer = note && (await writerOf(note, left))
    if (!note || !writer || writer === 'live') continue
    try {
      await (writer === 'gone' ? rename(left, path) : copyOver(left, path))
    } catch {
      // Another process took the file first, or the disk has no room for a copy.
      removeUnique(path)
      continue
    }
    removeFile(layout, noteOf(left))
    const { size } = await stat(path)
    // After a loss of power, a note may list more than reached the disk.
    const written = (note.written ?? [{ start: 0, end: size }]).filter(({ end }) => end <= size)
    return { etag: note.etag, length: size, written: new Spans(written).parts }
  }
  return { length: 0, written: [] }
}

async function copyOver(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  removeUnique(from)
}

/** How many bytes unfinished downloads of these blobs take on disk. Of several downloads of one blob, the largest counts. */
export async function bytesLeft(layout: Layout, digests: Digest[]): Promise<number> {
  const names = incompleteNames(layout)
  const sizes = digests.map(async (digest) => {
    const own = names.filter((name) => name.startsWith(`${blobNameOf(digest)}.`))
    return Math.max(0, ...(await Promise.all(own.map((name) => sizeOnDisk(join(layout.incoming, name))))))
  })
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)
}

function incompleteNames(layout: Layout): string[] {
  return entriesIn(layout.incoming).flatMap(({ name }) => (isIncompleteName(name) ? [name] : []))
}

/** Bytes of a file on disk, without its gaps. 0 when it is gone. */
async function sizeOnDisk(path: string): Promise<number> {
  const { size, blocks } = await lstat(path).catch(() => ({ size: 0, blocks: 0 }))
  return Math.min(size, blocks * 512)
}

/** A number of files, and the bytes that they take on disk. */
export interface Amount {
  files: number
  bytes: number
}

export function addTo(amount: Amount, bytes: number): void {
  amount.files++
  amount.bytes += bytes
}

/**
 * Removes unfinished downloads and temporary files that were not written to for a day, and the folders of removals that were
 * interrupted. Also removes locks of dead processes that were left by a takeover. Returns what was removed, or with `dryRun` what
 * would be; locks are not counted.
 */
export async function sweepIncoming(layout: Layout, options: { dryRun?: boolean } = {}): Promise<Amount> {
  const swept = { files: 0, bytes: 0 }
  const { incoming, directory, leases, runs, sources, formerRenames } = layout
  for (const folder of [incoming, directory, leases, runs, sources, formerRenames])
    for (const { name } of mayRemove(layout, join(folder, 'file')) ? entriesIn(folder) : []) {
      if (folder === layout.incoming && !options.dryRun) await sweepRemovals(layout, name)
      if (isTakeoverLock(layout, join(folder, name)) && !options.dryRun) await withFreeLock(join(folder, name), nothing)
      const isDownload = folder === layout.incoming && isIncompleteOrNoteName(name)
      if (!isDownload && !isTemporaryName(name)) continue
      const path = join(folder, name)
      if (!(await isSilentFor(ABANDONED_AFTER_MS, path))) continue
      addTo(swept, await sizeOnDisk(path))
      if (options.dryRun) continue
      if (folder === layout.incoming) removeAside(layout, path)
      removeFile(layout, path)
    }
  return swept
}

/** True for a lock of a takeover. A kill can leave it. `withFreeLock` removes it at its end, if the owner is dead. */
function isTakeoverLock({ incoming, metadata }: Layout, path: string): boolean {
  const isOfMetadata = path.startsWith(`${metadata}.lock.`)
  return (dirname(path) === incoming || isOfMetadata) && isTakeoverLockName(basename(path))
}

async function nothing(): Promise<void> {}

/** An unfinished download, and the bytes that it takes on disk. */
export interface Incomplete {
  path: string
  bytes: number
}

/** The unfinished downloads: `free` ones have no live writer and may be removed, `held` ones may have one. */
export async function findIncomplete(layout: Layout): Promise<{ free: Incomplete[]; held: Incomplete[] }> {
  const found: { free: Incomplete[]; held: Incomplete[] } = { free: [], held: [] }
  for (const { name } of entriesIn(layout.incoming)) {
    if (!isIncompleteName(name)) continue
    const path = join(layout.incoming, name)
    const bytes = await sizeOnDisk(path)
    found[(await isAbandoned(name, path)) ? 'free' : 'held'].push({ path, bytes })
  }
  return found
}

/** Removes an unfinished download and its note. */
export function removeIncomplete(layout: Layout, path: string): void {
  removeFile(layout, path)
  removeFile(layout, noteOf(path))
}

async function isAbandoned(name: string, path: string): Promise<boolean> {
  const note = await readNote(path)
  if (!note || (await writerOf(note, path)) === 'live') return false
  if (note.host !== undefined || note.etag !== undefined) return true
  // Between `takeOver` and the first note, only the pid in the file's name says which process writes.
  const writer = Number(/\.(\d+)-[0-9a-f]{12}\.incomplete$/.exec(name)?.[1] ?? 0)
  return writer < 1 || writer === originals.pid || isGone(writer)
}

/** A `silent` writer has written nothing for ten minutes, and may still continue. */
type Writer = 'live' | 'silent' | 'gone'

async function writerOf(note: Note, path: string): Promise<Writer> {
  if (note.isLost) return 'silent'
  const { pid, host, started } = note
  if (pid === undefined || host === undefined) return 'gone'
  const state = stateOf({ pid, host, started })
  if (state === 'dead') return 'gone'
  return state === 'unknown' && (await isSilentFor(SILENT_AFTER_MS, path)) ? 'silent' : 'live'
}

/** Undefined when the note is absent or damaged and the file was written lately: another process may be about to write the note. */
async function readNote(path: string): Promise<Note | undefined> {
  try {
    const note: unknown = JSON.parse(await readFile(noteOf(path), 'utf8'))
    if (typeof note !== 'object' || note === null) return undefined
    const etag = 'etag' in note && typeof note.etag === 'string' ? note.etag : undefined
    const written = 'written' in note ? (isSpans(note.written) ? note.written : []) : undefined
    return { ...(isOwner(note) && { pid: note.pid, host: note.host, started: note.started }), etag, written }
  } catch {
    return (await isSilentFor(SILENT_AFTER_MS, path)) ? { isLost: true } : undefined
  }
}

function isSpans(value: unknown): value is Span[] {
  const isSpan = (span: unknown) =>
    typeof span === 'object' &&
    span !== null &&
    'start' in span &&
    'end' in span &&
    Number.isSafeInteger(span.start) &&
    Number.isSafeInteger(span.end) &&
    Number(span.start) >= 0
  return Array.isArray(value) && value.every(isSpan)
}

/**
 * True when a file was not written to for `ms` milliseconds. Both our clock and the disk's must say so, because the writer may be on
 * another machine. False when the file is gone: it was published, or removed by another process.
 */
async function isSilentFor(ms: number, path: string): Promise<boolean> {
  const written = await lstat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
  if (written === undefined || originals.now() - written <= ms) return false
  return (await diskNow(dirname(path))) - written > ms
}
