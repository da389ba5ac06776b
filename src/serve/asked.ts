import { type HubRead, parseHubUrl, questionOf } from '../intercept/hub-url.ts'
import { parseHubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'

interface Named {
  repo: RepoId
  revision: string
}

/** A request of a client. */
export type Asked =
  /** With `isRaw`: the file as it is in git, which is a pointer if the file is stored with LFS. */
  | (Named & { kind: 'file'; path: string; isRaw: boolean })
  | (Named & { kind: 'revision' | 'tree' | 'paths-info'; path: string; query: URLSearchParams })

/** Why an address names nothing that can be served. */
export type NotAsked = 'malformed' | 'other kind' | 'unknown'

// A host, because addresses of clients have only a path.
const BASE = 'http://serve'
const OTHER_KINDS = ['datasets', 'spaces', 'buckets', 'kernels', 'collections']

/** The request that a target means. Pure. */
export function askedBy(target: string): Asked | NotAsked {
  const [path = ''] = target.split('?', 1)
  const segments = decodedSegments(path)
  if (!segments) return 'malformed'
  if (OTHER_KINDS.includes(segments[segments[0] === 'api' ? 1 : 0] ?? '')) return 'other kind'
  const raw = rawIndex(segments)
  const read = parseHubUrl(`${BASE}${raw === undefined ? target : resolveInPlaceOf(target, raw)}`, [BASE])
  return read ? (asAsked(read, raw !== undefined) ?? 'malformed') : 'unknown'
}

function asAsked(read: HubRead, isRaw: boolean): Asked | undefined {
  const { repo, revision } = read
  const { path, ...question } = read.kind === 'file' ? { kind: read.kind, isRaw, path: read.path } : questionOf(read)
  const inRepo = path.replace(/\/$/, '')
  if (inRepo !== '' && !isPath(inRepo)) return undefined
  return { repo, revision, path: inRepo, ...question }
}

function isPath(text: string): boolean {
  try {
    return parseHubPath(text, text) !== ''
  } catch {
    return false
  }
}

/** The decoded segments. Undefined for an address that is no path, cannot be decoded, or has a segment that leads elsewhere. */
function decodedSegments(path: string): string[] | undefined {
  if (!path.startsWith('/')) return undefined
  try {
    const segments = path.slice(1).split('/').map(decodeURIComponent)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must be refused
    const isWrong = (segment: string) => /[\\\x00-\x1f\x7f]/.test(segment) || segment.split('/').some(isDots)
    return segments.some(isWrong) ? undefined : segments
  } catch {
    return undefined
  }
}

function isDots(part: string): boolean {
  return part === '.' || part === '..'
}

/** Where an address has `raw` behind the name of a repo. */
function rawIndex(segments: string[]): number | undefined {
  if (segments[0] === 'api') return undefined
  return [1, 2].find((index) => segments[index] === 'raw' && !segments.slice(0, index).includes('resolve'))
}

function resolveInPlaceOf(target: string, raw: number): string {
  const segments = target.split('/')
  segments[raw + 1] = 'resolve'
  return segments.join('/')
}
