import pLimit, { type LimitFunction } from 'p-limit'
import type { Entry } from '../model/entry.ts'
import { asSentence, messageOf } from '../model/errors.ts'
import { listingKey, signatureKey } from '../remote/keys.ts'
import { remoteMode } from '../remote/mode.ts'
import { readSigningKey, type SigningKey } from '../remote/signature.ts'
import { RemoteError } from '../remote/store.ts'
import type { CacheContext } from './context/context.ts'
import { FilesOnRemote } from './share/files-on-remote.ts'
import { probe } from './share/probe.ts'
import { reasonOfAccess, statementOf } from './share/statement-of.ts'
import { callsOfCommand, type StoreCalls } from './share/store-calls.ts'
import { readableStore, remoteOf } from './share/store-of.ts'

export interface RemoteStatus {
  /** The address, without credentials. */
  remote: string
  mode: 'read' | 'read-write'
  /** Why it is only read here: a sentence. */
  modeReason: string | null
  isReachable: boolean
  /** Why it can't be read: a sentence. */
  failure: string | null
  /** Milliseconds until the answer to a small request. */
  latencyMs: number | null
  /** Whether its objects can be listed, which `prune` needs. Null if that was not tried. */
  canList: boolean | null
  /** The id of the key in MODEL_CACHE_REMOTE_KEY. Null if none is set. */
  keyId: string | null
  /** The cached models. */
  models: SharedModel[]
}

/** What the remote has of one cached model. */
export interface SharedModel {
  repo: string
  revision: string
  commit: string
  /** The cached files of the model and their bytes. Files with the same content count once. */
  files: number
  bytes: number
  /** Of these, the files that the remote has. */
  presentFiles: number
  presentBytes: number
  /** True if the remote has the list of the files of the repo. */
  isListed: boolean
  /** True if that list is signed with our key. Null if no key is set. */
  isSigned: boolean | null
  /** Why `push` does not send it: a sentence. Null if it may be sent. */
  notSent: string | null
}

const CALLS_AT_ONCE = 16

/**
 * Asks the remote whether it answers, and which of the cached models it has. Writes nothing. Throws `INVALID_OPTION` without a remote and
 * for a signing key that is too short, and `REMOTE_UNUSABLE` if it can't be opened.
 */
export async function remoteStatus(
  context: CacheContext,
  entries: Readonly<Entry>[],
  options: { signal?: AbortSignal } = {},
): Promise<RemoteStatus> {
  const key = readSigningKey(context.env)
  const store = await readableStore(context)
  const calls = callsOfCommand(context, store, options.signal)
  const { signal } = calls.options
  const mode = remoteMode(remoteOf(context), context.env)
  const status: RemoteStatus = {
    remote: store.name,
    ...{ mode: mode.mode, modeReason: mode.mode === 'read' ? mode.reason : null },
    ...{ isReachable: false, failure: null, latencyMs: null, canList: null, keyId: key?.id ?? null, models: [] },
  }
  try {
    status.latencyMs = await probe(calls)
    status.isReachable = true
    status.canList = await calls.canList()
    const limit = pLimit(CALLS_AT_ONCE)
    for (const entry of entries) status.models.push(await sharedModel(context, entry, { calls, key, limit }))
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof RemoteError)) throw error
    status.failure = asSentence(messageOf(error))
  } finally {
    store.close?.()
  }
  return status
}

interface Work {
  calls: StoreCalls
  key: SigningKey | undefined
  limit: LimitFunction
}

async function sharedModel(
  context: CacheContext,
  entry: Readonly<Entry>,
  { calls, key, limit }: Work,
): Promise<SharedModel> {
  const statement = await statementOf(context, entry)
  const isStated = typeof statement === 'object'
  const files = isStated ? statement.files : distinct(entry)
  const { repo, revision, commit } = entry
  const model = { endpoint: isStated ? statement.endpoint : context.origin.endpoint, repo, commit }
  const remote = new FilesOnRemote(calls, model)
  const held = await Promise.all(files.map((file) => limit(async () => ((await remote.has(file)) ? [file] : []))))
  const isListed = (await limit(() => calls.has(listingKey(model)))) !== undefined
  const present = held.flat()
  return {
    ...{ repo, revision, commit, files: files.length, bytes: bytesOf(files) },
    ...{ presentFiles: present.length, presentBytes: bytesOf(present), isListed },
    isSigned: key ? isListed && (await calls.has(signatureKey(model, key.id))) !== undefined : null,
    notSent: isStated ? (reasonOfAccess(context, statement.access) ?? null) : statement,
  }
}

function distinct({ files }: Readonly<Entry>) {
  return [...new Map([...files.values()].map((file) => [file.digest, file])).values()]
}

function bytesOf(files: { size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
