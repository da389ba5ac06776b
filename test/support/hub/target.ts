import type { RequestKind } from './request-log.ts'

/** The endpoint and repo of a Hub URL. `rest` holds the decoded segments that follow: a revision, then a path. */
export interface Target {
  kind: Exclude<RequestKind, 'cdn'>
  endpoint?: 'whoami' | 'info' | 'tree' | 'paths-info' | 'resolve' | 'raw'
  repo?: string
  rest: string[]
}

export function targetOf(path: string): Target {
  const segments = decodedSegments(path)
  if (path === '/api/whoami-v2') return { kind: 'api', endpoint: 'whoami', rest: [] }
  if (segments[0] === 'api') return segments[1] === 'models' ? apiTarget(segments.slice(2)) : nothing
  return fileTarget(segments)
}

/** The decoded segments of a path. An invalid percent sign is kept: such a path then simply does not exist. */
export function decodedSegments(path: string): string[] {
  const segments = path.split('/').slice(1)
  return segments.map((segment) => decodeURIComponent(segment.replace(/%(?![0-9a-f]{2})/gi, '%25')))
}

/** The path with another repo name. The encoding of the rest of the path is kept. */
export function renamedPath(path: string, oldName: string, newName: string): string {
  const segments = path.split('/')
  const start = segments[1] === 'api' ? 3 : 1
  const length = segments[start]?.includes('%') ? 1 : oldName.split('/').length
  segments.splice(start, length, newName)
  return segments.join('/')
}

/**
 * Splits the segments into revision and path. A revision with slashes should be encoded as one segment, but `listFiles` of
 * @huggingface/hub 2.17.5 sends `refs/pr/1` unencoded.
 */
export function splitRevision(rest: string[], exists: (revision: string) => boolean): [revision: string, path: string] {
  for (let length = 1; length <= rest.length; length++) {
    const revision = rest.slice(0, length).join('/')
    if (exists(revision)) return [revision, rest.slice(length).join('/')]
  }
  return [rest[0] ?? '', rest.slice(1).join('/')]
}

const nothing: Target = { kind: 'other', rest: [] }

function apiTarget(segments: string[]): Target {
  for (const length of [1, 2]) {
    const word = segments[length]
    const endpoint = word === 'revision' ? 'info' : word
    if (endpoint !== 'info' && endpoint !== 'tree' && endpoint !== 'paths-info') continue
    return { kind: 'api', endpoint, repo: segments.slice(0, length).join('/'), rest: segments.slice(length + 1) }
  }
  const isRepo = segments[0] !== undefined && segments[0] !== '' && segments.length <= 2
  return isRepo ? { kind: 'api', endpoint: 'info', repo: segments.join('/'), rest: [] } : nothing
}

/** `/name/resolve/…` for the oldest models, such as `gpt2`, or `/org/name/resolve/…`. */
function fileTarget(segments: string[]): Target {
  for (const length of [1, 2]) {
    const kind = segments[length]
    if (kind !== 'resolve' && kind !== 'raw') continue
    return { kind, endpoint: kind, repo: segments.slice(0, length).join('/'), rest: segments.slice(length + 1) }
  }
  return nothing
}
