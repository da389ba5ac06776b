import { parseRepoId, type RepoId } from '../model/repo-id.ts'
import { type Commit, parseRevision } from '../model/revision.ts'

/** A read of a model repo, as a URL of the Hub says it. */
export type HubRead =
  /** `/<repo>/resolve/<revision>/<path>` */
  | { kind: 'file'; repo: RepoId; revision: string; path: string }
  /** `/api/models/<repo>`, and below it `/revision/`, `/tree/` and `/paths-info/`. `address` is path and query. */
  | { kind: 'api'; repo: RepoId; revision: string; address: string }

// The first segments of addresses that are no model repos.
const OTHER_KINDS = ['api', 'datasets', 'spaces', 'collections', 'papers', 'docs', 'blog', 'settings', 'join', 'login']
const API_READS = ['revision', 'tree', 'paths-info'] as const

/** The read that a URL below one of the bases means. Undefined for any other URL. */
export function parseHubUrl(url: string, bases: readonly string[]): HubRead | undefined {
  const base = bases.find((base) => url.startsWith(`${base}/`))
  if (base === undefined) return undefined
  try {
    const { pathname, search } = new URL(url)
    const basePath = new URL(base).pathname.replace(/\/$/, '')
    const segments = pathname.slice(basePath.length + 1).split('/')
    return segments[0] === 'api' ? apiRead(segments, search) : fileRead(segments)
  } catch {
    // An invalid repo, revision or encoding. The server's error is the better one.
    return undefined
  }
}

/** True for a URL below one of the bases. Host names are case-insensitive. */
export function isBelow(url: string, bases: readonly string[]): boolean {
  return bases.some(
    (base) => url.toLowerCase().startsWith(base.toLowerCase()) && /^([/?#]|$)/.test(url.slice(base.length)),
  )
}

/** True for a method with which this read may be answered by the cache. */
export function isReadBy(method: string, read: HubRead): boolean {
  if (method === 'GET' || method === 'HEAD') return true
  return method === 'POST' && read.kind === 'api' && read.address.includes('/paths-info/')
}

function fileRead(segments: string[]): HubRead | undefined {
  if (OTHER_KINDS.includes(segments[0] ?? '')) return undefined
  const at = [2, 1].find((index) => segments[index] === 'resolve')
  if (at === undefined) return undefined
  const { revision, rest } = takeRevision(segments.slice(at + 1))
  const path = rest.map(decodeURIComponent).join('/')
  if (path === '') return undefined
  return { kind: 'file', repo: repoOf(segments.slice(0, at)), revision, path }
}

function apiRead(segments: string[], search: string): HubRead | undefined {
  const [, kind, ...rest] = segments
  if (kind !== 'models' || rest.length === 0) return undefined
  const at = endOfRepo(rest)
  if (at === -1 && rest.length > 2) return undefined
  const address = `/${segments.join('/')}${search}`
  if (at === -1) return { kind: 'api', repo: repoOf(rest), revision: 'main', address }
  const { revision } = takeRevision(rest.slice(at + 1))
  return { kind: 'api', repo: repoOf(rest.slice(0, at)), revision, address }
}

/** The address of a read of the API, with a commit in place of its revision. */
export function addressAt({ address }: { address: string }, commit: Commit): string {
  const [path = ''] = address.split('?', 1)
  const [root, api, models, ...rest] = path.split('/')
  const at = endOfRepo(rest)
  const repo = at === -1 ? rest : rest.slice(0, at)
  const read = at === -1 ? ['revision', commit] : [rest[at], commit, ...takeRevision(rest.slice(at + 1)).rest]
  return [root, api, models, ...repo, ...read].join('/') + address.slice(path.length)
}

/** What a read of the API asks for, with the path behind the revision. */
export interface ApiQuestion {
  kind: (typeof API_READS)[number]
  path: string
  query: URLSearchParams
}

export function questionOf({ address }: { address: string }): ApiQuestion {
  const [pathname = ''] = address.split('?', 1)
  const rest = pathname.split('/').slice(3)
  const at = endOfRepo(rest)
  const kind = API_READS.find((read) => read === rest[at]) ?? 'revision'
  const below = at === -1 ? [] : takeRevision(rest.slice(at + 1)).rest
  const path = below.map(decodeURIComponent).join('/')
  return { kind, path, query: new URLSearchParams(address.slice(pathname.length)) }
}

/** The index of the segment after the repo; -1 if there is none. */
function endOfRepo(rest: string[]): number {
  return rest.findIndex((segment, index) => index > 0 && API_READS.some((read) => read === segment))
}

function repoOf(segments: string[]): RepoId {
  return parseRepoId(segments.map(decodeURIComponent).join('/'))
}

/** Splits off the revision: one segment with encoded slashes. In `refs/pr/1` and `refs/convert/...` slashes need no encoding. */
function takeRevision(segments: string[]): { revision: string; rest: string[] } {
  const isPlainRef = segments[0] === 'refs' && ['pr', 'convert'].includes(segments[1] ?? '')
  const length = isPlainRef ? 3 : 1
  const revision = decodeURIComponent(segments.slice(0, length).join('/'))
  return { revision: parseRevision(revision, revision), rest: segments.slice(length) }
}
