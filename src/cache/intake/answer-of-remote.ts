import { ModelCacheError, messageOf } from '../../model/errors.ts'
import type { Model } from '../../model/model.ts'
import { type Commit, isCommit } from '../../model/revision.ts'
import { originals, withTimeLimit } from '../../platform/originals.ts'
import { listingKey, type RemoteModel, refKey, signatureKey } from '../../remote/keys.ts'
import { LARGEST_LISTING, type Listing, parseListing } from '../../remote/listing.ts'
import { readObject } from '../../remote/read-object.ts'
import { LARGEST_REF, parseRef } from '../../remote/refs.ts'
import type { Remote } from '../../remote/remote.ts'
import { isSignedListing, LARGEST_SIGNATURE, readSigningKey, type SigningKey } from '../../remote/signature.ts'
import { UnusableObject } from '../../remote/unusable.ts'
import type { CacheContext } from '../context/context.ts'
import { storedRef } from '../lookup/stored-answers.ts'

/** What the remote states about a model, signed with the key of this environment. */
export interface SignedAnswer {
  listing: Listing
  /** The name of the remote. */
  signedIn: string
  /** Milliseconds since the endpoint was asked for the revision. */
  ageMs: number
}

// A listing is far smaller than what arrives in this time. Without a limit, a slow remote would be read for minutes.
const LONGEST_MS = 10_000
const TOO_SLOW = 'it took long to say that it has nothing, and is not asked any more in this run'

/** Why the remote gave no answer: the end of a sentence. */
export interface NoAnswer {
  why: string
}

/**
 * The answer of the remote, for a Hub that gives none. Only signed objects are believed: whoever can write to the remote could have written
 * the others. An old signed ref can be put in place of a newer one, so it is not used if this cache knows a newer answer. Undefined without
 * a remote, and when the run has told already that the remote can't be used.
 */
export async function answerOfRemote(
  context: CacheContext,
  model: Pick<Model, 'repo' | 'revision'>,
  signal?: AbortSignal,
): Promise<SignedAnswer | NoAnswer | undefined> {
  const remote = await context.remote()
  if (!remote || remote.leftAlone !== undefined) return undefined
  try {
    const key = readSigningKey(context.env)
    if (!key) return { why: 'MODEL_CACHE_REMOTE_KEY is not set, so nothing that the remote states can be believed' }
    const late = () => new Error(`it was not read within ${LONGEST_MS / 1000} s`)
    const answer = await withTimeLimit(LONGEST_MS, signal, late, (signal) =>
      findAnswer(context, model, { remote, key, signal }),
    )
    // A remote that is not asked any more gives nothing. That does not mean that it has nothing.
    return 'why' in answer && !remote.isAsked ? { why: remote.leftAlone ?? TOO_SLOW } : answer
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof ModelCacheError) return { why: `${error.asked}: ${error.reason}` }
    if (!(error instanceof UnusableObject)) remote.noteFailure(messageOf(error))
    return { why: messageOf(error) }
  }
}

interface Reader {
  remote: Remote
  key: SigningKey
  signal: AbortSignal
}

async function findAnswer(
  context: CacheContext,
  model: Pick<Model, 'repo' | 'revision'>,
  reader: Reader,
): Promise<SignedAnswer | NoAnswer> {
  const found = await findCommit(context, model, reader)
  if ('why' in found) return found
  const listing = await readListing(reader, { endpoint: context.origin.endpoint, repo: model.repo, ...found })
  return 'why' in listing ? listing : { listing, signedIn: reader.remote.name, ageMs: found.ageMs }
}

/** The commit of a revision: of the signed ref and of what this cache knows, the newer one. */
async function findCommit(
  context: CacheContext,
  { repo, revision }: Pick<Model, 'repo' | 'revision'>,
  { remote, key, signal }: Reader,
): Promise<{ commit: Commit; ageMs: number } | NoAnswer> {
  if (isCommit(revision)) return { commit: revision, ageMs: 0 }
  const { endpoint } = context.origin
  const known = await storedRef(context, repo, revision)
  const bytes = await readObject(remote, refKey({ endpoint, repo, revision }, key.id), { limit: LARGEST_REF, signal })
  const ref = bytes && parseRef(bytes, key)
  if (ref && (ref.endpoint !== endpoint || ref.repo !== repo || ref.revision !== revision))
    return { why: `the ref of ${revision} in it is that of something else` }
  const ageMs = ref && Math.max(0, originals.now() - ref.atMs)
  if (ref && ageMs !== undefined && ageMs < (known?.ageMs ?? Number.POSITIVE_INFINITY))
    return { commit: ref.commit, ageMs }
  return known ?? { why: `it has no ref of ${revision} that is signed with our key` }
}

async function readListing({ remote, key, signal }: Reader, model: RemoteModel): Promise<Listing | NoAnswer> {
  const [bytes, signature] = await Promise.all([
    readObject(remote, listingKey(model), { limit: LARGEST_LISTING, signal }),
    readObject(remote, signatureKey(model, key.id), { limit: LARGEST_SIGNATURE, signal }),
  ])
  const at = `commit ${model.commit.slice(0, 7)}`
  if (!bytes) return { why: `it has no list of the files of ${at}` }
  if (!signature) return { why: `its list of the files of ${at} is not signed with our key` }
  if (!isSignedListing(key, bytes, signature))
    return { why: `the signature of its list of the files of ${at} is wrong` }
  const listing = parseListing(bytes)
  const { endpoint, repo, commit, access } = listing
  if (endpoint !== model.endpoint || repo !== model.repo || commit !== model.commit)
    return { why: `its list of the files of ${at} is that of another model` }
  if (access !== 'public') return { why: 'the model is not public, and only the Hub can say who may read it' }
  return listing
}
