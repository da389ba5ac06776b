import { createHash } from 'node:crypto'
import type { RepoEntry } from './entry.ts'
import type { Exchange } from './exchange.ts'
import { codedError, HubError } from './hub-error.ts'
import type { CommitInfo, Files, Repository } from './repository.ts'

/** GET /api/models/{id}/tree/{rev}[/{path}], page by page. */
export async function sendTree(
  exchange: Exchange,
  repository: Repository,
  commit: string,
  path: string,
  { hubUrl, pageSize }: { hubUrl: string; pageSize: number },
): Promise<void> {
  const { query, log } = exchange
  const files = repository.filesAt(commit)
  const folder = path === '' ? '' : `${path.replace(/\/$/, '')}/`
  if (folder !== '' && ![...files.keys()].some((file) => file.startsWith(folder))) {
    throw codedError(404, 'EntryNotFound', `${path} does not exist on "${log.revision}"`)
  }
  const entries = entriesUnder(files, folder, isTrue(query.get('recursive')))
  const start = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString() || 0)
  const limit = Math.max(1, Math.min(Number(query.get('limit') ?? pageSize), pageSize))
  const page = entries.slice(start, start + limit).map((entry) => describe(entry, isTrue(query.get('expand'))))
  const end = start + limit
  if (end >= entries.length) return exchange.sendJson(page)
  const next = new URLSearchParams(query)
  next.set('limit', String(limit))
  next.set('cursor', Buffer.from(String(end)).toString('base64url'))
  // The link is absolute: parseLinkHeader of @huggingface/hub accepts nothing else.
  await exchange.sendJson(page, { Link: `<${hubUrl}${log.path}?${next}>; rel="next"` })
}

/** POST /api/models/{id}/paths-info/{rev}: JSON from @huggingface/hub, a form from Python. Missing paths are left out. */
export async function sendPathsInfo(exchange: Exchange, repository: Repository, commit: string): Promise<void> {
  const { paths, expand } = await readPathsRequest(exchange)
  const entries = entriesUnder(repository.filesAt(commit), '', true)
  const asked = paths.flatMap((path) => entries.find((entry) => entry.path === path) ?? [])
  await exchange.sendJson(asked.map((entry) => describe(entry, expand)))
}

type TreeEntry = (RepoEntry & { type: 'file' }) | Folder

interface Folder {
  type: 'directory'
  path: string
  oid: string
  lastCommit: CommitInfo
}

function entriesUnder(files: Files, folder: string, recursive: boolean): TreeEntry[] {
  const found = new Map<string, TreeEntry>()
  for (const [path, entry] of files) {
    if (!path.startsWith(folder)) continue
    const parts = path.slice(folder.length).split('/')
    for (let depth = 1; depth < parts.length && (recursive || depth === 1); depth++) {
      const path = folder + parts.slice(0, depth).join('/')
      found.set(path, mergeFolder(found.get(path), path, entry))
    }
    if (recursive || parts.length === 1) found.set(path, { ...entry, type: 'file' })
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The oid is not that of a git tree, but it changes with the content of the folder too. */
function mergeFolder(known: TreeEntry | undefined, path: string, { oid, lastCommit }: RepoEntry): Folder {
  const before = known?.lastCommit
  const newest = before && before.date > lastCommit.date ? before : lastCommit
  const merged = createHash('sha1').update(`${known?.oid ?? path}${oid}`)
  return { type: 'directory', path, oid: merged.digest('hex'), lastCommit: newest }
}

function describe(entry: TreeEntry, expand: boolean): object {
  const { type, oid, path, lastCommit } = entry
  const details = expand ? { lastCommit } : {}
  if (entry.type === 'directory') return { type, oid, size: 0, path, ...details }
  const scan = expand ? { securityFileStatus: safe } : {}
  return { type, oid, size: entry.content.size, path, lfs: entry.lfs, ...details, ...scan }
}

// RepoFile in huggingface_hub/hf_api.py fails without these scan results.
const safe = { status: 'safe', avScan: { status: 'safe' }, pickleImportScan: null }

async function readPathsRequest({ request }: Exchange): Promise<{ paths: string[]; expand: boolean }> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  if (!request.headers['content-type']?.includes('json')) {
    const form = new URLSearchParams(body)
    return { paths: form.getAll('paths'), expand: isTrue(form.get('expand')) }
  }
  const asked: unknown = JSON.parse(body)
  if (typeof asked !== 'object' || asked === null || !('paths' in asked)) throw new HubError(400, '"paths" is required')
  const paths = [asked.paths].flat().filter((path) => typeof path === 'string')
  return { paths, expand: 'expand' in asked && asked.expand === true }
}

/** Python sends `True`. */
function isTrue(value: string | null): boolean {
  return value !== null && ['true', '1'].includes(value.toLowerCase())
}
