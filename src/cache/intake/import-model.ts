import pLimit from 'p-limit'
import { DigestMismatchError } from '../../model/broken-download.ts'
import type { Digest } from '../../model/digest.ts'
import { type Entry, type EntryFile, entryKey } from '../../model/entry.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { type HubPath, parseHubPath } from '../../model/hub-path.ts'
import { type Model, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { snapshotOf } from '../../model/snapshot.ts'
import { isoNow } from '../../platform/originals.ts'
import type { ArchiveReader } from '../archive/archive-reader.ts'
import { type ArchivedModel, sortedFiles } from '../archive/contents.ts'
import { refused } from '../archive/refusal.ts'
import type { CacheContext } from '../context/context.ts'
import { prepareMapping } from '../lookup/mapped-path.ts'
import { storedTree } from '../lookup/stored-answers.ts'
import { isAsRecorded, stampOf } from '../store/blobs.ts'
import { IncomingFile } from '../store/downloads/incoming.ts'
import { sweepIncoming } from '../store/downloads/leftovers.ts'
import { syncToDisk } from '../store/durable.ts'
import type { Hold } from '../store/locks/lock.ts'
import { withRepoLock } from '../store/removal/aside.ts'
import { tryAdopt } from './adopt-blob.ts'
import { isPresent, linkFile } from './ensure-file.ts'
import type { BlobTarget } from './file-target.ts'
import { ageOf, keepListing, keepRefs } from './keep-imported.ts'
import { recordEntry } from './record-entry.ts'
import { finishMoves } from './settle-name.ts'
import { type Place, settleSnapshot } from './settle-snapshot.ts'
import { writeHubRef } from './write-hub-ref.ts'

export interface ImportParts {
  archive: ArchiveReader
  /** The contents that models before this one brought, and a repo that has each. */
  brought: Map<Digest, RepoId>
  /** Called when all contents of the model were read. It checks what follows them in the archive. */
  beforeRecord: () => Promise<void>
  onBytes: (bytes: number) => void
  signal?: AbortSignal
}

/** A model of an archive that is in the cache now. */
export interface ImportedModel {
  entry: Entry
  /** The files that the cache did not have. */
  added: HubPath[]
}

/**
 * Puts a model of an archive into the cache. Each content is verified while it is written, and no file of the model is visible before
 * all of them are there. What the cache has already is kept. Throws `ARCHIVE_REFUSED` for wrong bytes.
 */
export async function importModel(
  context: CacheContext,
  archived: ArchivedModel,
  parts: ImportParts,
): Promise<ImportedModel> {
  const { layout } = context
  const work = async (hold: Hold) => {
    await sweepIncoming(layout)
    await finishMoves(context, archived.repo)
    const endpoint = await statedEndpoint(context, archived)
    const { repo, commit, listing, files } = archived
    const place = await settleSnapshot(context, { repo, commit, tree: listing ?? files, endpoint })
    refuseOther(archived, place.entry, parts.archive.name)
    const targets = targetsOf(archived, place, parts.signal)
    for (const target of targets) await ensureContent(context, target, parts)
    await parts.beforeRecord()
    await keepListing(context, archived)
    await keepRefs(context, archived)
    const imported = await record(context, archived, { ...place, endpoint }, targets)
    // This process may have been stopped for long. The process that took its lock may have removed files.
    if (!hold.isOurs() && (await dropMissing(context, imported.entry))) throw lostLock(archived)
    // Until the model is complete, these refs refer to the commit that is cached.
    for (const [revision, at] of archived.refs)
      await writeHubRef(context, { repo, revision, commit, snapshot: place.snapshot, endpoint, ageMs: ageOf(at) })
    return imported
  }
  return withRepoLock(layout, archived.repo, work, parts.signal)
}

/** Our endpoint, if this cache has the endpoint's own word for all of the files. Otherwise only the archive states them. */
async function statedEndpoint(
  context: CacheContext,
  { repo, commit, files }: ArchivedModel,
): Promise<string | undefined> {
  if (await context.whoElseWrites({ repo, snapshot: snapshotOf(commit) })) return undefined
  const stored = await storedTree(context, repo, commit)
  const isStated = stored && [...files].every(([path, { digest }]) => stored.get(path)?.digest === digest)
  return isStated ? context.origin.endpoint : undefined
}

/** A commit has one content for each path. So if two caches differ, one of them is wrong, and it is not known which. */
function refuseOther(archived: ArchivedModel, entry: Place['entry'], name: string): void {
  for (const [path, { digest }] of archived.files) {
    const there = entry?.files.get(path)
    if (!there || there.digest === digest) continue
    const where = `${modelLabel(archived)} at ${archived.commit.slice(0, 7)}`
    throw refused(
      name,
      `${JSON.stringify(path)} of ${where} has the digest ${digest} in it, and ${there.digest} in this cache.`,
      `One of the two is wrong. If it is the cache: \`npx vitest-model-cache rm ${archived.repo}\`, then import again.`,
    )
  }
}

function targetsOf({ repo, revision, files }: ArchivedModel, place: Place, signal?: AbortSignal): BlobTarget[] {
  const model: Model = { repo, revision, selection: {}, pin: false }
  return sortedFiles(files).map(([name, stated]) => {
    const path = parseHubPath(name, repo)
    return { model, snapshot: place.snapshot, path, stated, known: place.entry?.files.get(path), signal }
  })
}

/** Makes sure that the repo has the content of a file: it is there, or another repo got it, or the archive brings it now. */
async function ensureContent(context: CacheContext, target: BlobTarget, parts: ImportParts): Promise<void> {
  const { archive, brought, signal } = parts
  const { digest, size } = target.stated
  const { repo } = target.model
  signal?.throwIfAborted()
  const holder = brought.get(digest)
  const isThere = holder !== repo && (await isPresent(context, target))
  if (holder === undefined) {
    await (isThere
      ? archive.readBlob(digest, size, ({ length }) => parts.onBytes(length))
      : readInto(context, target, parts))
    brought.set(digest, repo)
  } else if (holder !== repo && !isThere) await takeFrom(context, target, holder)
}

async function takeFrom(context: CacheContext, target: BlobTarget, holder: RepoId): Promise<void> {
  if (await tryAdopt(context, target, context.layout.blob(holder, target.stated.digest))) return
  throw new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `File ${target.path} of ${modelLabel(target.model)}`,
    reason: `Its content was imported with ${holder}, and is gone again.`,
    nextStep: 'Another process removed it meanwhile: import again.',
  })
}

async function readInto(context: CacheContext, target: BlobTarget, { archive, onBytes }: ImportParts): Promise<void> {
  const { digest, size } = target.stated
  const incoming = await IncomingFile.claim(context.layout, digest, size)
  try {
    // The archive brings all bytes, so nothing is continued.
    if (incoming.received > 0) await incoming.restart()
    let at = 0
    await archive.readBlob(digest, size, async (piece) => {
      await incoming.write(piece, at)
      at += piece.length
      onBytes(piece.length)
    })
    await incoming.publish(context.layout.blob(target.model.repo, digest))
  } catch (error) {
    await incoming.discard()
    if (!(error instanceof DigestMismatchError)) throw error
    const file = `${target.path} of ${modelLabel(target.model)}`
    throw refused(archive.name, `${file} is damaged: it has the digest ${error.received} in place of ${digest}.`)
  }
}

async function record(
  context: CacheContext,
  archived: ArchivedModel,
  { snapshot, entry, endpoint }: Place & { endpoint: string | undefined },
  targets: BlobTarget[],
): Promise<ImportedModel> {
  const { repo, commit, revision, access, task, selections } = archived
  const files = new Map<HubPath, EntryFile>()
  const added: HubPath[] = []
  for (const target of targets) {
    const { path, known } = target
    const file = await linkFile(context, target)
    const isNew = !isAsRecorded(file, known)
    const skeletonBytes = await prepareMapping(context, context.layout.file(repo, snapshot, path), { isNew })
    const downloadMs = known?.downloadMs ?? null
    files.set(path, { ...file, downloadMs, ...(skeletonBytes !== undefined && { skeletonBytes }) })
    if (isNew) added.push(path)
  }
  const limit = pLimit(4)
  await Promise.all(added.map((path) => limit(() => syncToDisk(context.layout.file(repo, snapshot, path)))))
  const now = isoNow()
  const known = new Set(entry?.selections.map(({ key }) => key))
  const recorded: Entry = {
    ...{ repo, revision: entry?.revision ?? revision, commit, snapshot, endpoint },
    access: entry && entry.access !== 'unknown' ? entry.access : access,
    task: entry?.task ?? task,
    ...{ cachedDate: entry?.cachedDate ?? now, lastAccessDate: now, hits: entry?.hits ?? 0 },
    pinned: entry?.pinned ?? false,
    selections: selections.filter(({ key }) => !known.has(key)),
    files: new Map([...(entry?.files ?? []), ...files]),
  }
  await context.claim(recorded)
  await recordEntry(context, recorded, added)
  const metadata = await context.metadata()
  return { entry: { ...((await metadata.find(entryKey(recorded))) ?? recorded) }, added }
}

/** Removes files that are gone from the record of an entry. True if there were any. */
async function dropMissing(context: CacheContext, { repo, snapshot }: Entry): Promise<boolean> {
  let isMissing = false
  const metadata = await context.metadata()
  await metadata.update((entries) => {
    const key = entryKey({ repo, snapshot })
    const entry = entries.get(key)
    const paths = [...(entry?.files.keys() ?? [])].filter((path) => !stampOf(context.layout.file(repo, snapshot, path)))
    isMissing = !entry || paths.length > 0
    for (const path of paths) entry?.files.delete(path)
    if (entry?.files.size === 0) entries.delete(key)
  })
  return isMissing
}

function lostLock(archived: ArchivedModel): ModelCacheError {
  return new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked: `Model ${modelLabel(archived)}`,
    reason: 'This process was stopped, and another one removed files of the model meanwhile.',
    nextStep: 'Import again.',
  })
}
