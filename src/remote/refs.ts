import { isEndpoint } from '../model/endpoint.ts'
import { ModelCacheError } from '../model/errors.ts'
import { isObject, isText } from '../model/json.ts'
import { parseRepoId, type RepoId } from '../model/repo-id.ts'
import { type Commit, isCommit, parseRevision } from '../model/revision.ts'
import { originals } from '../platform/originals.ts'
import { parseObject } from './read-object.ts'
import type { SigningKey } from './signature.ts'
import { checkVersion, UnusableObject } from './unusable.ts'

/** The commit that a revision stood for when the endpoint was asked. */
export interface RemoteRef {
  endpoint: string
  repo: RepoId
  revision: string
  commit: Commit
  /** When the endpoint was asked: milliseconds since 1970. */
  atMs: number
}

const FORMAT_VERSION = 1
/** The largest ref in bytes. */
export const LARGEST_REF = 16 << 10
// Clocks of machines differ. A time that is later than this can't be right.
const LARGEST_CLOCK_ERROR_MS = 86_400_000

/** A signed ref as bytes. */
export function printRef(ref: RemoteRef, key: SigningKey): Uint8Array {
  return Buffer.from(printed(ref, key.sign('ref', signedText(ref))))
}

/** Parses a ref and checks its signature. Throws `UnusableObject`, also for a newer version and for a time in the future. */
export function parseRef(bytes: Uint8Array, key: SigningKey): RemoteRef {
  if (bytes.byteLength > LARGEST_REF) throw new UnusableObject('It is too large.')
  const { text, value } = parseObject(bytes)
  if (!isObject(value)) throw new UnusableObject('It is not a JSON object.')
  checkVersion(value.formatVersion, FORMAT_VERSION)
  const { endpoint, repo, revision, commit, at, signature } = value
  if (!isText(endpoint) || !isEndpoint(endpoint)) throw new UnusableObject('Its `endpoint` is not valid.')
  if (!isText(repo) || !isText(revision)) throw new UnusableObject('Its `repo` or its `revision` is not valid.')
  if (!isText(commit) || !isCommit(commit)) throw new UnusableObject('Its `commit` is not valid.')
  const atMs = isText(at) ? originals.Date.parse(at) : Number.NaN
  if (Number.isNaN(atMs)) throw new UnusableObject('Its time is not valid.')
  const ref = { endpoint, ...namesOf(repo, revision), commit, atMs }
  if (!isText(signature) || text !== printed(ref, signature))
    throw new UnusableObject('It is not in the form of a ref.')
  if (!key.isSigned('ref', signedText(ref), signature)) throw new UnusableObject('Its signature is wrong.')
  if (atMs > originals.now() + LARGEST_CLOCK_ERROR_MS) throw new UnusableObject('Its time is in the future.')
  return ref
}

function namesOf(repo: string, revision: string) {
  try {
    return { repo: parseRepoId(repo), revision: parseRevision(revision, 'A ref') }
  } catch (error) {
    if (error instanceof ModelCacheError) throw new UnusableObject(error.reason, { cause: error })
    throw error
  }
}

function signedText({ endpoint, repo, revision, commit, atMs }: RemoteRef): string {
  const at = new originals.Date(atMs).toISOString()
  return JSON.stringify({ formatVersion: FORMAT_VERSION, endpoint, repo, revision, commit, at })
}

function printed(ref: RemoteRef, signature: string): string {
  return `${signedText(ref).slice(0, -1)},"signature":${JSON.stringify(signature)}}\n`
}
