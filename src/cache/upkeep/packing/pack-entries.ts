import { existsSync } from 'node:fs'
import { blobNameOf, type Digest } from '../../../model/digest.ts'
import { copyEntry, type Entry, entryKey, hasPacked, isPacked } from '../../../model/entry.ts'
import { isSystemError, messageOf } from '../../../model/errors.ts'
import { modelLabel } from '../../../model/model.ts'
import type { CacheContext } from '../../context/context.ts'
import { isImported } from '../../lookup/imported-answers.ts'
import { findLocked } from '../../lookup/locked.ts'
import { isHubLinked } from '../../store/cache-folder.ts'
import { linkKindOf } from '../../store/downloads/links.ts'
import { listPacked } from '../../store/entries/list-packed.ts'
import type { Layout } from '../../store/layout.ts'
import { leasedEntries } from '../../store/locks/leases.ts'
import type { Hold } from '../../store/locks/lock.ts'
import { dropDamaged } from '../../store/packs/drop-damaged.ts'
import { beginWriting, endWriting, isUnfinished } from '../../store/packs/unfinished.ts'
import { withColdLock, withFreeRepoLock } from '../../store/removal/aside.ts'
import { unsharedFiles } from '../delete-files.ts'
import { isOnlyName, leaveHub } from './leave-hub.ts'
import { areReadable, type Blob, lostLock, NotPacked, writeBlobs } from './write-blobs.ts'

export interface PackEntriesOptions {
  /** Only computes what packing would save. */
  dryRun?: boolean
  /** False: chunks are stored as they are. Default true. */
  isCompressed?: boolean
  /** A run whose claims do not count, because it is over. */
  exceptRun?: string
  signal?: AbortSignal
  onProgress?: (progress: { model: string; bytes: number; totalBytes: number }) => void
}

/** What was done for one model. */
export interface PackedEntry {
  entry: Entry
  /** Bytes of the files that were packed. */
  bytes: number
  /** Bytes that they take in the pack files: what these had already counts nothing. */
  packedBytes: number
  /** Why it was not packed: a sentence. */
  reason?: string
}

/**
 * Packs entries, one after the other. A model that a live run uses stays, and so does one whose lock is held. At each instant a model is
 * whole in `hub/`, or in the pack files, or in both.
 */
export async function packEntries(
  context: CacheContext,
  entries: Entry[],
  options: PackEntriesOptions = {},
): Promise<PackedEntry[]> {
  const packed: PackedEntry[] = []
  for (const entry of entries) {
    options.signal?.throwIfAborted()
    const nothing = { entry, bytes: 0, packedBytes: 0 }
    try {
      const done = await withFreeRepoLock(context.layout, entry.repo, (hold) => packOne(context, hold, entry, options))
      packed.push({ ...nothing, ...(done ?? { reason: 'Another process works on it now.' }) })
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof NotPacked) packed.push({ ...nothing, reason: error.message })
      else if (isSystemError(error)) packed.push({ ...nothing, reason: `The disk failed: ${messageOf(error)}` })
      else throw error
    }
  }
  return packed
}

async function packOne(
  context: CacheContext,
  repoHold: Hold,
  asked: Entry,
  options: PackEntriesOptions,
): Promise<Omit<PackedEntry, 'entry'>> {
  const { layout } = context
  const metadata = await context.metadata()
  const all = await metadata.all()
  const entry = all.get(entryKey(asked))
  if (!entry) throw new NotPacked('It was removed meanwhile.')
  const leased = await leasedEntries(layout, options.exceptRun)
  refuse(context, entry, leased)
  const siblings = [...all.values()].filter(({ repo, snapshot }) => repo === entry.repo && snapshot !== entry.snapshot)
  // A packed commit without a snapshot needs no file on disk. What it shares with this entry is packed for both.
  const [apart, staying] = partition(siblings, (sibling) => isApart(layout, sibling) && !leased.has(entryKey(sibling)))
  const blobs = await blobsToPack(context, entry, staying)
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0)
  if (blobs.length === 0) throw new NotPacked('Other models share all of its files.')
  const work = async (hold: Hold) => {
    const mayGoOn = () => hold.isOurs() && repoHold.isOurs()
    const write = () => writeBlobs(context.layout, blobs, { ...options, mayGoOn, label: modelLabel(entry) })
    const wasUnfinished = isUnfinished(layout)
    if (!options.dryRun) beginWriting(layout)
    const shares = await write()
    const packedBytes = [...shares.values()].reduce((sum, share) => sum + share, 0)
    if (options.dryRun) return { bytes, packedBytes }
    const packed = [entry, ...apart].map((each) => withPacked(each, shares))
    await listAllPacked(layout, packed, { isSettled: false, mayGoOn })
    const undo = () => listAllPacked(layout, [entry, ...apart], { isSettled: true, mayGoOn })
    const isReadable = async () => {
      if (await areReadable(context, blobs)) return true
      // A chunk that was stored before is damaged.
      await dropDamaged(layout, hold, [...shares.keys()], options.signal)
      await write()
      return areReadable(context, blobs)
    }
    if (!(await isReadable()) || !mayGoOn()) {
      await undo()
      throw new NotPacked('What was written could not be read again.')
    }
    if (!(await recordPacked(context, packed, shares, options))) {
      await undo()
      throw new NotPacked('A test run uses it now.')
    }
    for (const [at, each] of packed.entries())
      await leaveHub(layout, repoHold, each, [...staying, ...packed.filter((_, other) => other !== at)])
    await listAllPacked(layout, packed, { isSettled: true, mayGoOn })
    if (!wasUnfinished) endWriting(layout)
    context.debug(`Packed ${modelLabel(entry)}: ${bytes} bytes take ${packedBytes}`)
    return { bytes, packedBytes }
  }
  return withColdLock(layout, work, options.signal)
}

/** True for a packed entry that has no snapshot: files of it that are not packed are only there because another entry needed them. */
function isApart(layout: Layout, entry: Entry): boolean {
  return hasPacked(entry) && !existsSync(layout.snapshot(entry.repo, entry.snapshot))
}

function partition<T>(all: T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((each) => !isFirst(each))]
}

async function listAllPacked(
  layout: Layout,
  entries: Entry[],
  { isSettled, mayGoOn }: { isSettled: boolean; mayGoOn: () => boolean },
): Promise<void> {
  for (const entry of entries) if (!(await listPacked(layout, entry, isSettled, mayGoOn))) throw lostLock()
}

/** Throws the reason why the entry can't be packed. */
function refuse(context: CacheContext, entry: Entry, leased: ReadonlySet<string>): void {
  const { layout } = context
  if ([...entry.files.values()].every(isPacked)) throw new NotPacked('It is packed already.')
  if (leased.has(entryKey(entry))) throw new NotPacked('A test run uses it now.')
  if (isHubLinked(layout)) throw new NotPacked('`hub` is a link, and other tools may use its target.')
  const isKnown = entry.endpoint !== undefined || findLocked(context, entry)?.commit === entry.commit
  // Without the refs and the snapshot that the other tool wrote, the model would not be found any more.
  if (!isKnown && !isImported(context, entry)) throw new NotPacked('Another tool downloaded it.')
}

/** The blobs that only this entry needs, and that have no second name on the disk. */
async function blobsToPack(context: CacheContext, entry: Entry, siblings: Entry[]): Promise<Blob[]> {
  const { layout } = context
  const own = new Set(unsharedFiles({ entry, siblings }))
  const isCopied = (await linkKindOf(layout)) !== 'symlink'
  const blobs = new Map<Digest, Blob>()
  for (const file of entry.files.values()) {
    const { digest, size } = file
    const path = layout.blob(entry.repo, digest)
    if (!isPacked(file) && own.has(blobNameOf(digest)) && (isCopied || isOnlyName(path)))
      blobs.set(digest, { digest, size, path })
  }
  return [...blobs.values()]
}

/**
 * Marks the files as packed. False when a run claimed one of the models meanwhile: then the records are as before. Other processes claim a
 * model and then look at its record. So each finds it packed, or its claim is seen here.
 */
async function recordPacked(
  context: CacheContext,
  entries: Entry[],
  shares: ReadonlyMap<Digest, number>,
  { exceptRun }: PackEntriesOptions,
): Promise<boolean> {
  const metadata = await context.metadata()
  const keys = entries.map(entryKey)
  let before: Entry[] = []
  await metadata.update((all) => {
    before = keys.flatMap((key) => all.get(key) ?? []).map(copyEntry)
    if (before.length === keys.length) for (const entry of before) all.set(entryKey(entry), withPacked(entry, shares))
  })
  const leased = await leasedEntries(context.layout, exceptRun)
  if (before.length === keys.length && !keys.some((key) => leased.has(key))) return true
  await metadata.update((all) => {
    for (const entry of before) if (all.has(entryKey(entry))) all.set(entryKey(entry), entry)
  })
  return false
}

const UNVERIFIED = { mtimeMs: 0, ino: '0' }

function withPacked(entry: Entry, shares: ReadonlyMap<Digest, number>): Entry {
  const packed = copyEntry(entry)
  for (const [path, { size, digest, downloadMs }] of entry.files) {
    const packedBytes = shares.get(digest)
    if (packedBytes === undefined) continue
    packed.files.set(path, { ...{ size, digest, downloadMs }, ...UNVERIFIED, packedBytes })
  }
  return packed
}
