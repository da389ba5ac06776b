import { createHash } from 'node:crypto'
import { blobNameOf, type Digest } from '../model/digest.ts'
import { originKey } from '../model/origin-key.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'

// The keys of all objects in a store. A key is made of ASCII letters, digits and `._-/`, so each backend can take it as it is.
// Different things have different keys.

/** A repo at one commit, as one endpoint states it. */
export interface RemoteModel {
  endpoint: string
  repo: RepoId
  commit: Commit
}

/** The bytes of a file. */
export function blobKey(digest: Digest): string {
  const [algorithm] = digest.split(':')
  const hex = blobNameOf(digest)
  return `blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`
}

/** The chunk map of a blob. */
export function mapKey(digest: Digest): string {
  return `${blobKey(digest)}.map`
}

/** What the keys of all objects of a repo begin with. */
export function repoPrefix({ endpoint, repo }: Pick<RemoteModel, 'endpoint' | 'repo'>): string {
  return `models/${originKey(endpoint)}/${encodedRepo(repo)}/`
}

/** What the endpoint stated about a model. */
export function listingKey(model: RemoteModel): string {
  return `${folderOf(model)}/listing.json`
}

/** The signature of a listing by the key with this id. */
export function signatureKey(model: RemoteModel, keyId: string): string {
  return `${folderOf(model)}/listing.${keyId}.sig`
}

/** The small files of a model in one object. */
export function bundleKey(model: RemoteModel): string {
  return `${folderOf(model)}/small`
}

/** The commit that a revision stands for, signed with the key of this id. */
export function refKey(
  { endpoint, repo, revision }: { endpoint: string; repo: RepoId; revision: string },
  keyId: string,
): string {
  return `refs/${originKey(endpoint)}/${encodedRepo(repo)}/${encodedRevision(revision)}.${keyId}.json`
}

function folderOf(model: RemoteModel): string {
  return `${repoPrefix(model)}${model.commit}`
}

/** One part of a key, as in the cache folder. A repo id has no `--` itself. */
function encodedRepo(repo: RepoId): string {
  return repo.replace('/', '--')
}

// A name of a file has at most 255 bytes on most disks. The rest of the name takes some of them.
const LONGEST_REVISION = 150

/**
 * One part of a key. Capital letters are encoded too: on some disks, `V1` and `v1` are the same file. `_s` begins a hash, and can't
 * begin anything else.
 */
function encodedRevision(revision: string): string {
  const encoded = revision.replace(
    /[^a-z0-9.-]/g,
    (character) => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  if (encoded.length <= LONGEST_REVISION) return encoded
  return `_s${createHash('sha256').update(revision).digest('hex')}`
}
