import pLimit from 'p-limit'
import { asSentence, messageOf } from '../model/errors.ts'
import { isObject } from '../model/json.ts'
import { originals } from '../platform/originals.ts'
import { blobKey } from '../remote/keys.ts'
import { type ObjectKind, type OwnKey, parseKey } from '../remote/parse-key.ts'
import { parseObject } from '../remote/read-object.ts'
import { LARGEST_REF } from '../remote/refs.ts'
import { RemoteError, type StoredObject } from '../remote/store.ts'
import { NewerObject, UnusableObject } from '../remote/unusable.ts'
import type { CacheContext } from './context/context.ts'
import { namedSources } from './share/chunk-maps.ts'
import { callsOfCommand, type StoreCalls } from './share/store-calls.ts'
import { remoteOf, unusable, writableRemote } from './share/store-of.ts'

export interface PruneOptions {
  /** Objects that were last written longer ago are removed. Milliseconds. */
  olderThanMs: number
  /** True: nothing is removed. The result says what would be. */
  dryRun?: boolean
  signal?: AbortSignal
}

interface Amount {
  objects: number
  bytes: number
}

export interface Pruned {
  /** What was removed, or with `dryRun` would be. */
  removed: Record<ObjectKind, Amount>
  kept: Amount
  /** The number of objects that are not ours. They are never touched. */
  foreign: number
  /** Why the rest was not removed: a sentence. */
  failure?: string
}

/** First what is said about a model, then its files: whoever reads meanwhile, and a prune that is killed, find nothing that misleads. */
const ORDER: ObjectKind[] = ['ref', 'signature', 'listing', 'bundle', 'map', 'blob']
const AT_ONCE = 8
const OTHER_MEANS = 'Use the means of the store itself, such as its rules for old objects. Nothing was changed.'
const DOCTOR = 'Nothing was changed. `npx vitest-model-cache doctor` checks the remote.'

/**
 * Removes objects of the remote that were last written long ago, the signatures of removed listings, and the refs to them. Blobs that a
 * chunk map names stay with it, and so do objects that are not ours by their keys. Throws `INVALID_OPTION` without a remote, and
 * `REMOTE_UNUSABLE` if it must not be written, or can't list or remove.
 */
export async function pruneRemote(
  context: CacheContext,
  { olderThanMs, dryRun = false, ...options }: PruneOptions,
): Promise<Pruned> {
  const { store } = await writableRemote(context)
  const settings = remoteOf(context)
  if (!store.list || !store.remove) throw unusable(settings, 'It has no `list` and `remove`.', OTHER_MEANS)
  const calls = callsOfCommand(context, store, options.signal)
  const { signal } = calls.options
  try {
    const { own, foreign } = await listOwn(calls)
    const removable = await choose(calls, own, originals.now() - olderThanMs)
    const gone = dryRun ? { removed: removable } : await removeAll(calls, removable)
    const removed = new Set(gone.removed)
    return {
      removed: amountsOf(gone.removed),
      kept: amountOf(own.filter((object) => !removed.has(object))),
      foreign,
      ...('failure' in gone && { failure: gone.failure }),
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NewerObject)
      throw unusable(settings, error.message, 'Nothing was changed. Prune with that version.')
    if (!(error instanceof RemoteError)) throw error
    throw unusable(settings, messageOf(error), error.failure === 'misused' ? OTHER_MEANS : DOCTOR)
  }
}

interface OwnObject extends StoredObject {
  is: OwnKey
}

async function listOwn(calls: StoreCalls): Promise<{ own: OwnObject[]; foreign: number }> {
  const own: OwnObject[] = []
  let foreign = 0
  for (const prefix of ['refs/', 'models/', 'blobs/'])
    for (const object of await calls.list(prefix)) {
      const is = parseKey(object.key)
      if (is) own.push({ ...object, is })
      else foreign++
    }
  return { own, foreign }
}

async function choose(calls: StoreCalls, own: OwnObject[], beforeMs: number): Promise<OwnObject[]> {
  const isOld = ({ modifiedMs }: OwnObject) => modifiedMs < beforeMs
  const old = new Set(own.filter(isOld).flatMap(({ is }) => (is.kind === 'listing' ? [is.model] : [])))
  const needed = await neededBlobs(calls, own, isOld)
  const isUnneeded = (object: OwnObject) => isOld(object) && !needed.has(object.key)
  const chosen = own.filter(
    (object) => isUnneeded(object) || (object.is.kind === 'signature' && old.has(object.is.model)),
  )
  const repos = new Set([...old].map((model) => model.slice(0, model.lastIndexOf('/'))))
  const limit = pLimit(AT_ONCE)
  const others = own.filter((object) => !isOld(object))
  const dangling = others.map(({ key, is }) =>
    limit(async () => is.kind === 'ref' && repos.has(is.repo) && isDangling(calls, key, is.repo, old)),
  )
  const isChosen = await Promise.all(dangling)
  return [...chosen, ...others.filter((_, index) => isChosen[index])]
}

/** The keys of the blobs that the chunk maps name which are not old. A map that is damaged names none. */
async function neededBlobs(
  calls: StoreCalls,
  own: OwnObject[],
  isOld: (object: OwnObject) => boolean,
): Promise<Set<string>> {
  if (!own.some((object) => object.is.kind === 'blob' && isOld(object))) return new Set()
  const maps = own.filter((object) => object.is.kind === 'map' && !isOld(object))
  const limit = pLimit(AT_ONCE)
  const sources = await Promise.all(maps.map(({ key }) => limit(() => namedSources(calls, key))))
  return new Set(sources.flat().map(({ digest }) => blobKey(digest)))
}

/** True for a ref to one of these models, whose listings are removed. Nobody can use it then. */
async function isDangling(calls: StoreCalls, key: string, repo: string, models: Set<string>): Promise<boolean> {
  try {
    const bytes = await calls.read(key, LARGEST_REF)
    const { value } = bytes ? parseObject(bytes) : { value: undefined }
    return isObject(value) && models.has(`${repo}/${String(value.commit)}`)
  } catch (error) {
    if (error instanceof UnusableObject) return false
    throw error
  }
}

async function removeAll(calls: StoreCalls, objects: OwnObject[]): Promise<{ removed: OwnObject[]; failure?: string }> {
  const removed: OwnObject[] = []
  const limit = pLimit(AT_ONCE)
  let failure: string | undefined
  for (const kind of ORDER)
    await Promise.all(
      objects
        .filter(({ is }) => is.kind === kind)
        .map((object) =>
          limit(async () => {
            if (failure !== undefined) return
            try {
              await calls.remove(object.key)
              removed.push(object)
            } catch (error) {
              if (!(error instanceof RemoteError)) throw error
              failure ??= asSentence(messageOf(error))
            }
          }),
        ),
    )
  return { removed, ...(failure !== undefined && { failure }) }
}

function amountsOf(objects: OwnObject[]): Record<ObjectKind, Amount> {
  const of = (kind: ObjectKind) => amountOf(objects.filter(({ is }) => is.kind === kind))
  return {
    ...{ blob: of('blob'), map: of('map'), bundle: of('bundle') },
    ...{ listing: of('listing'), signature: of('signature'), ref: of('ref') },
  }
}

function amountOf(objects: StoredObject[]): Amount {
  return { objects: objects.length, bytes: objects.reduce((sum, { size }) => sum + size, 0) }
}
