import { isDigest } from '../model/digest.ts'
import { isEndpoint } from '../model/endpoint.ts'
import { type Access, isAccess } from '../model/entry.ts'
import { ModelCacheError } from '../model/errors.ts'
import { parseHubPath } from '../model/hub-path.ts'
import { isCount, isObject, isText } from '../model/json.ts'
import { parseRepoId } from '../model/repo-id.ts'
import { isCommit } from '../model/revision.ts'
import { statedFile, type Tree } from '../model/tree.ts'
import type { RemoteModel } from './keys.ts'
import { parseObject } from './read-object.ts'
import { checkVersion, UnusableObject } from './unusable.ts'

/** What an endpoint stated about a model. A listing in a store is a hint: only with a valid signature it is believed. */
export interface Listing extends RemoteModel {
  access: Access
  /** The task that the repo's model card states. */
  task?: string
  /** All files of the repo at the commit. */
  files: Tree
}

const FORMAT_VERSION = 1
/** The largest listing in bytes. The files of nearly all repos take less than a hundredth of it. */
export const LARGEST_LISTING = 32 << 20
const MOST_FILES = 200_000
const LONGEST_TASK = 2000

/** A listing as bytes. The same statement always gives the same bytes, so that machines write and sign the same object. */
export function printListing({ endpoint, repo, commit, access, task, files }: Listing): Uint8Array {
  const head = JSON.stringify({ formatVersion: FORMAT_VERSION, endpoint, repo, commit, access, task })
  const lines = [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { digest, size }]) => JSON.stringify([path, digest, size]))
  return Buffer.from(`${head.slice(0, -1)},"files":[\n${lines.join(',\n')}\n]}\n`)
}

/**
 * Parses a listing as text from outside. Only the exact form that `printListing` writes is accepted. Throws `UnusableObject`, also for a
 * newer version.
 */
export function parseListing(bytes: Uint8Array): Listing {
  if (bytes.byteLength > LARGEST_LISTING) throw new UnusableObject('It is too large.')
  const { value } = parseObject(bytes)
  if (!isObject(value)) throw new UnusableObject('It is not a JSON object.')
  const { formatVersion, endpoint, repo, commit, access, task, files } = value
  checkVersion(formatVersion, FORMAT_VERSION)
  if (!isText(endpoint) || !isEndpoint(endpoint)) throw new UnusableObject('Its `endpoint` is not valid.')
  if (!isText(repo) || !isText(commit) || !isCommit(commit)) throw new UnusableObject('Its `commit` is not valid.')
  if (!isAccess(access)) throw new UnusableObject('Its `access` is not valid.')
  if (task !== undefined && !(isText(task) && task.length <= LONGEST_TASK))
    throw new UnusableObject('Its `task` is not valid.')
  if (!Array.isArray(files) || files.length > MOST_FILES) throw new UnusableObject('Its `files` are not valid.')
  try {
    const listing = { endpoint, repo: parseRepoId(repo), commit, access, task, files: new Map(files.map(parseFile)) }
    if (!isSame(printListing(listing), bytes)) throw new UnusableObject('It is not in the exact form of a listing.')
    return listing
  } catch (error) {
    if (error instanceof ModelCacheError) throw new UnusableObject(error.reason, { cause: error })
    throw error
  }
}

function parseFile(line: unknown) {
  const [path, digest, size]: unknown[] = Array.isArray(line) ? line : []
  if (!isText(path) || !isText(digest) || !isDigest(digest) || !isCount(size))
    throw new UnusableObject('One of its files has no path, digest or size.')
  return [parseHubPath(path, 'A listing'), statedFile(digest, size)] as const
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
