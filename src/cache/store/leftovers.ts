import { constants } from 'node:fs'
import { copyFile, lstat, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { blobNameOf, type Digest } from '../../model/digest.ts'
import { type Span, Spans } from '../../model/spans.ts'
import { originals } from '../../platform/originals.ts'
import { sweepRemovals } from './aside.ts'
import { diskNow, writeAtomically } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { entriesIn } from './list-folder.ts'
import { isIncompleteName, isIncompleteOrNoteName, isTemporaryName } from './own-names.ts'
import { isGone, isOwner, type Owner, stateOf } from './owner.ts'
import { mayRemove, removeAside, removeFile, removeUnique } from './remove-own.ts'

const ABANDONED_AFTER_MS = 24 * 3_600_000
// A writer on another machine changes its file more often than this.
const SILENT_AFTER_MS = 10 * 60_000

/** What stands beside a file on its way in. */
export interface Note extends Partial<Owner> {
  /** By which ETag the server knew the content. */
  etag?: string
  /** Which parts are there; without it, all up to the file's end. */
  written?: readonly Span[]
  /** True when the note is damaged or missing. */
  isLost?: boolean
}

/** What somebody left of a blob. */
export interface Left {
  etag?: string
  /** The length of the file, what is missing of it included. */
  length: number
  written: readonly Span[]
}

/** The note beside a file on its way in. */
export function noteOf(path: string): string {
  return `${path}.json`
}

/** Says who writes the file at `path` (nobody, when it was given up) and what is there of it. */
export async function writeNote(path: string, note: Note): Promise<void> {
  writeAtomically(noteOf(path), JSON.stringify(note))
}

/**
 * Makes what somebody left of a blob the file at `path`, and says what is there of it. Only the file of a writer that is
 * surely gone is moved. A silent writer may continue and write to its open file: of that the bytes are copied, so that
 * it can never change a file that was verified.
 */
export async function takeOver(layout: Layout, digest: Digest, path: string): Promise<Left> {
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
      // Another process was faster, or the disk has no room for a copy.
      removeUnique(path)
      continue
    }
    removeFile(layout, noteOf(left))
    const { size } = await stat(path)
    // A note may know of more than reached the disk.
    const written = (note.written ?? [{ start: 0, end: size }]).filter(({ end }) => end <= size)
    return { etag: note.etag, length: size, written: new Spans(written).parts }
  }
  return { length: 0, written: [] }
}

async function copyOver(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE)
  removeUnique(from)
}

/** How much of these blobs lies there of downloads that did not end: of each the largest, as it takes room on disk. */
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

/** Without the gaps of what several connections wrote; 0 when it is gone. */
async function sizeOnDisk(path: string): Promise<number> {
  const { size, blocks } = await lstat(path).catch(() => ({ size: 0, blocks: 0 }))
  return Math.min(size, blocks * 512)
}

/** How many files, and what they take on disk. */
export interface Amount {
  files: number
  bytes: number
}

export function addTo(amount: Amount, bytes: number): void {
  amount.files++
  amount.bytes += bytes
}

/** Removes what nobody went on with for a day, and what writers that were killed left of their temporary files. */
export async function sweepIncoming(layout: Layout, options: { dryRun?: boolean } = {}): Promise<Amount> {
  const swept = { files: 0, bytes: 0 }
  for (const folder of [layout.incoming, layout.directory, layout.leases, layout.runs, layout.formerRenames])
    for (const { name } of mayRemove(layout, join(folder, 'file')) ? entriesIn(folder) : []) {
      if (folder === layout.incoming && !options.dryRun) await sweepRemovals(layout, name)
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

/** A partial download, and what it takes on disk. */
export interface Incomplete {
  path: string
  bytes: number
}

/** What lies there of downloads: those that nobody is writing, which may be removed, and the others. */
export async function findIncomplete(layout: Layout): Promise<{ free: Incomplete[]; held: Incomplete[] }> {
  const found: { free: Incomplete[]; held: Incomplete[] } = { free: [], held: [] }
  for (const { name } of entriesIn(layout.incoming)) {
    if (!isIncompleteName(name)) continue
    const path = join(layout.incoming, name)
    const bytes = await sizeOnDisk(path)
    found[(await isGivenUp(name, path)) ? 'free' : 'held'].push({ path, bytes })
  }
  return found
}

/** Removes a partial download with its note. */
export function removeIncomplete(layout: Layout, path: string): void {
  removeFile(layout, path)
  removeFile(layout, noteOf(path))
}

async function isGivenUp(name: string, path: string): Promise<boolean> {
  const note = await readNote(path)
  if (!note || (await writerOf(note, path)) === 'live') return false
  if (note.host !== undefined || note.etag !== undefined) return true
  // Between taking over and the first note only the name says who writes.
  const writer = Number(/\.(\d+)-[0-9a-f]{12}\.incomplete$/.exec(name)?.[1] ?? 0)
  return writer < 1 || writer === originals.pid || isGone(writer)
}

/** `silent` writers wrote nothing for long, and may still continue. */
type Writer = 'live' | 'silent' | 'gone'

async function writerOf(note: Note, path: string): Promise<Writer> {
  if (note.isLost) return 'silent'
  const { pid, host, started } = note
  if (pid === undefined || host === undefined) return 'gone'
  const state = stateOf({ pid, host, started })
  if (state === 'dead') return 'gone'
  return state === 'unknown' && (await isSilentFor(SILENT_AFTER_MS, path)) ? 'silent' : 'live'
}

/** Undefined for what may be another's: without a note nobody can say whether its writer lives. */
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
 * True when a file was not written to for so long: by our own clock, and by the disk's too, as its writer may be another
 * machine. False when it is gone: published, or swept by another.
 */
async function isSilentFor(ms: number, path: string): Promise<boolean> {
  const written = await lstat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )
  if (written === undefined || originals.now() - written <= ms) return false
  return (await diskNow(dirname(path))) - written > ms
}
