import { statfs } from 'node:fs/promises'
import { formatSize } from '../../config/units.ts'
import type { Digest } from '../../model/digest.ts'
import { type Entry, type EntryId, entryKey, entrySize } from '../../model/entry.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { describeModel, type Model, modelLabel } from '../../model/model.ts'
import type { RepoId } from '../../model/repo-id.ts'
import { originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { bytesLeft } from '../store/downloads/leftovers.ts'
import { totalSize } from '../store/entries/used-bytes.ts'
import { leasedEntries } from '../store/locks/leases.ts'
import { planRemovals } from './limits.ts'
import { removable } from './removable.ts'
import { deleteEntries } from './remove.ts'

/**
 * Makes room for blobs that are about to be downloaded: removes the least recently used models until they fit into `maxSize`.
 * Models of live runs stay, also when the cache then exceeds the limit, with one warning. `part` is the entry of which untouched
 * code requests one file. When `onTooLarge` is `error`, throws `TOO_LARGE` for a model that is larger than the limit; the cached
 * files of `part` count, too. Throws `CACHE_UNUSABLE` when the disk has too little space.
 */
export async function makeRoom(
  context: CacheContext,
  model: Model,
  missing: Map<Digest, number>,
  part?: EntryId,
): Promise<void> {
  const bytes = [...missing.values()].reduce((sum, size) => sum + size, 0)
  if (bytes === 0) return
  const { maxSize, onTooLarge } = context.options
  if (part && onTooLarge === 'error') await checkWhole(context, model, bytes, part)
  if (bytes > maxSize) tooLarge(context, model, bytes, onTooLarge)
  else await removeUntilFits(context, [model.repo], bytes)
  // The bytes of an unfinished download are on the disk already.
  const asked = `Model ${describeModel(model)}`
  await checkDisk(context, asked, bytes - (await bytesLeft(context.layout, [...missing.keys()])))
}

/** Makes room for the content of several repos, of which the caller holds no lock. Throws `CACHE_UNUSABLE`. */
export async function makeRoomFor(context: CacheContext, asked: string, repos: RepoId[], bytes: number): Promise<void> {
  if (bytes === 0) return
  await removeUntilFits(context, repos, bytes)
  await checkDisk(context, asked, bytes)
}

/** Untouched code asks for a model file by file. Each file may fit where all files together do not. */
async function checkWhole(context: CacheContext, model: Model, bytes: number, part: EntryId): Promise<void> {
  const entry = await (await context.metadata()).find(entryKey(part))
  const whole = bytes + (entry ? entrySize(entry) : 0)
  const what = entry ? 'With the files of the repo that are cached, it takes' : 'It takes'
  if (whole > context.options.maxSize) tooLarge(context, model, whole, 'error', what)
}

async function removeUntilFits(context: CacheContext, repos: RepoId[], bytes: number): Promise<void> {
  const { maxSize } = context.options
  const metadata = await context.metadata()
  const entries = [...(await metadata.all()).values()]
  // Other commits of the same repo stay: the caller holds their lock, and they may share blobs with the download.
  const own = entries.filter(({ repo }) => repos.includes(repo)).map(entryKey)
  const mayGo = new Set(removable(context.layout, entries))
  const others = entries.filter((entry) => !mayGo.has(entry)).map(entryKey)
  const kept = new Set([...(await leasedEntries(context.layout)), ...own, ...others])
  const limits = { maxSize: maxSize - bytes, maxAge: Number.POSITIVE_INFINITY }
  const { evicted } = planRemovals(entries, limits, { now: originals.now(), leased: kept })
  if (context.options.whenFull === 'error') checkFits(context, repos, bytes, without(entries, evicted))
  const removed = await deleteEntries(context, evicted)
  context.evicted.models.push(...removed.entries.map(modelLabel))
  context.evicted.bytes += removed.freedBytes
  for (const { repo } of removed.entries) context.debug(`🗑️ Removed model to make room for ${repos.join(', ')}: ${repo}`)
  const left = totalSize(without(entries, removed.entries))
  if (left + bytes > maxSize)
    context.warn(
      `The cache exceeds its limit of ${formatSize(maxSize)}: the models that runs use now take ${formatSize(left + bytes)}. Raise \`maxSize\` to keep them all.`,
    )
}

function without(entries: Entry[], others: Entry[]): Entry[] {
  const gone = new Set(others)
  return entries.filter((entry) => !gone.has(entry))
}

/** Throws when the models that have to stay leave too little room. */
function checkFits({ options }: CacheContext, repos: RepoId[], bytes: number, staying: Entry[]): void {
  const left = totalSize(staying)
  if (left + bytes <= options.maxSize) return
  throw new ModelCacheError({
    code: 'TOO_LARGE',
    asked: `Model ${repos.join(', ')}`,
    reason: `It takes ${formatSize(bytes)}, and the models in use now take ${formatSize(left)} of ${formatSize(options.maxSize)}.`,
    nextStep: 'Raise `maxSize` (MODEL_CACHE_MAX_SIZE), or try again when they are not used any more.',
  })
}

function tooLarge(
  context: CacheContext,
  model: Model,
  bytes: number,
  onTooLarge: 'keep' | 'error' | undefined,
  what = 'It takes',
): void {
  const limit = formatSize(context.options.maxSize)
  const nextStep = `Set \`maxSize\` (MODEL_CACHE_MAX_SIZE) to more than ${formatSize(bytes)}.`
  if (onTooLarge === 'error')
    throw new ModelCacheError({
      code: 'TOO_LARGE',
      asked: `Model ${describeModel(model)}`,
      reason: `${what} ${formatSize(bytes)}, and the limit of the whole cache is ${limit}.`,
      nextStep,
    })
  context.warn(
    `${describeModel(model)} is larger than the limit of the whole cache (${formatSize(bytes)}, limit ${limit}). It is removed after the run. ${nextStep}`,
  )
}

/** A download for which the disk has too little space is not started. */
async function checkDisk(context: CacheContext, asked: string, bytes: number): Promise<void> {
  // `hub` may be a link to another disk, or may not exist yet.
  const { bavail, bsize } = await statfs(context.layout.hub).catch(() => statfs(context.layout.directory))
  const free = bavail * bsize
  if (free >= bytes) return
  throw new ModelCacheError({
    code: 'CACHE_UNUSABLE',
    asked,
    reason: `It takes ${formatSize(bytes)}, and the disk of ${context.layout.directory} has ${formatSize(free)} left.`,
    nextStep: 'Free some space, or set MODEL_CACHE_DIR to a folder on another disk.',
  })
}
