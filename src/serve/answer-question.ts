import { createHash } from 'node:crypto'
import type { Listing } from '../cache/get-listing.ts'
import type { Answer } from '../intercept/answer.ts'
import { answerMissing } from '../intercept/answer-file.ts'
import { refusal } from '../intercept/refusal.ts'
import { blobNameOf } from '../model/digest.ts'
import { type Commit, isCommit } from '../model/revision.ts'
import { compareText } from '../model/stated-files.ts'
import type { TreeFile } from '../model/tree.ts'
import { type Folder, gitIdOf, isFolder, pointerOf, rootOf } from './folders.ts'

// As the Hub.
const LARGEST_PAGE = 1000
// The listing does not state when a file was last changed. Clients need a date here.
const NO_DATE = '1970-01-01T00:00:00.000Z'

/**
 * `/api/models/<repo>`: what is known of a repo at a commit. With `expand` only the fields that it names. `details` are further fields
 * that the Hub stated. Pure.
 */
export function answerInfo(
  { repo, commit, access, task, files }: Listing,
  details: Record<string, unknown>,
  query: URLSearchParams,
): Answer {
  const withBlobs = isTrue(query.get('blobs'))
  const info: Record<string, unknown> = {
    tags: [],
    ...details,
    _id: createHash('sha1').update(repo).digest('hex').slice(0, 24),
    id: repo,
    modelId: repo,
    ...(repo.includes('/') && { author: repo.split('/')[0] }),
    sha: commit,
    private: access !== 'public' && access !== 'gated',
    gated: access === 'gated' ? 'auto' : false,
    disabled: false,
    ...(task !== undefined && { pipeline_tag: task }),
    siblings: [...files].map(([path, file]) => (withBlobs ? siblingOf(path, file) : { rfilename: path })),
  }
  const wanted = [...query.getAll('expand'), ...query.getAll('expand[]')]
  const fields = wanted.length === 0 ? Object.keys(info) : ['_id', 'id', ...wanted]
  return json(Object.fromEntries(fields.flatMap((field) => (Object.hasOwn(info, field) ? [[field, info[field]]] : []))))
}

function siblingOf(path: string, file: TreeFile): object {
  const lfs = lfsOf(file)
  return {
    ...{ rfilename: path, blobId: gitIdOf(file), size: file.size },
    ...(lfs && { lfs: { sha256: lfs.oid, size: lfs.size, pointerSize: lfs.pointerSize } }),
  }
}

interface TreeQuestion {
  /** The folder in the repo. Empty for the root. */
  path: string
  query: URLSearchParams
  /** The address of the listing, without a query. The next page is linked by an absolute address, as by the Hub. */
  address: string
}

/** `/api/models/<repo>/tree/<revision>[/<folder>]`: one page of a folder. Pure. */
export function answerTree({ commit, files }: Listing, { path, query, address }: TreeQuestion): Answer {
  const folder = path === '' ? rootOf(files) : nodeAt(rootOf(files), path)
  if (!folder || !isFolder(folder)) return answerMissing({ isApi: true })
  const nodes = [...nodesIn(folder, path === '' ? '' : `${path}/`, isTrue(query.get('recursive')))]
  nodes.sort(([a], [b]) => compareText(a, b))
  const start = cursorOf(query)?.start ?? 0
  const limit = Math.min(
    Math.max(1, Math.floor(Number(query.get('limit') ?? LARGEST_PAGE)) || LARGEST_PAGE),
    LARGEST_PAGE,
  )
  const isExpanded = isTrue(query.get('expand'))
  const page = json(nodes.slice(start, start + limit).map(([at, node]) => entryOf(at, node, commit, isExpanded)))
  if (start + limit >= nodes.length) return page
  const next = new URLSearchParams(query)
  next.set('limit', String(limit))
  next.set('cursor', Buffer.from(`${commit} ${start + limit}`).toString('base64url'))
  return { ...page, headers: { ...page.headers, Link: `<${address}?${next}>; rel="next"` } }
}

/** The commit and the place at which the next page starts. The branch may have moved since the first page. */
export function cursorOf(query: URLSearchParams): { commit: Commit; start: number } | undefined {
  const [commit = '', start = ''] = Buffer.from(query.get('cursor') ?? '', 'base64url')
    .toString()
    .split(' ')
  return isCommit(commit) && /^\d{1,9}$/.test(start) ? { commit, start: Number(start) } : undefined
}

/** `/api/models/<repo>/paths-info/<revision>`: files and folders by their paths. The answer leaves out what is not there. Pure. */
export function answerPaths({ commit, files }: Listing, body: string, contentType = ''): Answer {
  const asked = askedPaths(body, contentType)
  if (!asked) return refusal({ status: 400, said: '"paths" is required' }, { isApi: true })
  const root = rootOf(files)
  const found = [...new Set(asked.paths)].flatMap((path) => {
    const node = nodeAt(root, path)
    return node ? [entryOf(path, node, commit, asked.isExpanded)] : []
  })
  return json(found)
}

/** JSON from @huggingface/hub, a form from Python. */
function askedPaths(body: string, contentType: string): { paths: string[]; isExpanded: boolean } | undefined {
  if (!contentType.includes('json')) {
    const form = new URLSearchParams(body)
    return { paths: form.getAll('paths'), isExpanded: isTrue(form.get('expand')) }
  }
  try {
    const asked: unknown = JSON.parse(body)
    if (typeof asked !== 'object' || asked === null || !('paths' in asked)) return undefined
    const paths = [asked.paths].flat().filter((path): path is string => typeof path === 'string')
    return { paths, isExpanded: 'expand' in asked && asked.expand === true }
  } catch {
    return undefined
  }
}

function nodeAt(root: Folder, path: string): Folder | TreeFile | undefined {
  let node: Folder | TreeFile | undefined = root
  for (const name of path.split('/')) node = node && isFolder(node) ? node.children.get(name) : undefined
  return node
}

function* nodesIn({ children }: Folder, below: string, isRecursive: boolean): Generator<[string, Folder | TreeFile]> {
  for (const [name, node] of children) {
    yield [below + name, node]
    if (isRecursive && isFolder(node)) yield* nodesIn(node, `${below}${name}/`, isRecursive)
  }
}

function entryOf(path: string, node: Folder | TreeFile, commit: Commit, isExpanded: boolean): object {
  const details = isExpanded ? { lastCommit: { id: commit, title: '', date: NO_DATE } } : {}
  if (isFolder(node)) return { type: 'directory', oid: node.oid, size: 0, path, ...details }
  const lfs = lfsOf(node)
  return { type: 'file', oid: gitIdOf(node), size: node.size, path, ...(lfs && { lfs }), ...details }
}

function lfsOf(file: TreeFile): { oid: string; size: number; pointerSize: number } | undefined {
  if (!file.digest.startsWith('sha256:')) return undefined
  return { oid: blobNameOf(file.digest), size: file.size, pointerSize: Buffer.byteLength(pointerOf(file)) }
}

/** Python sends `True`. */
function isTrue(value: string | null): boolean {
  return value !== null && ['true', '1'].includes(value.toLowerCase())
}

function json(content: unknown): Answer {
  return { status: 200, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: JSON.stringify(content) }
}
