import type { Content } from './content.ts'
import { pointerOf, type RepoEntry } from './entry.ts'
import type { Exchange } from './exchange.ts'
import { entryNotFound } from './hub-error.ts'
import { selectRange } from './range.ts'
import type { Repository } from './repository.ts'

/** GET and HEAD /{id}/resolve/{rev}/{path}: the file, or for LFS a redirect to the CDN. */
export async function sendResolved(
  exchange: Exchange,
  repository: Repository,
  commit: string,
  path: string,
  cdnUrl: string,
): Promise<void> {
  const entry = entryAt(repository, commit, path)
  if (!entry.lfs) return sendContent(exchange, entry.content, entry.oid, fileHeaders(entry, commit))
  const file = path.split('/').map(encodeURIComponent).join('/')
  // Each redirect has a new URL, as the signed URLs of the Hub: a client must not use it as a cache key.
  const signature = exchange.response.getHeader('X-Request-Id')
  const query = new URLSearchParams({ 'X-Amz-Expires': '3600', 'X-Amz-Signature': String(signature) })
  exchange.redirect(
    302,
    `${cdnUrl}/${encodeURIComponent(repository.name)}/${entry.lfs.oid}/${file}?${query}`,
    fileHeaders(entry, commit),
  )
}

/** GET /{id}/raw/{rev}/{path}: the content in git, which is the pointer for an LFS file. */
export async function sendRaw(exchange: Exchange, repository: Repository, commit: string, path: string): Promise<void> {
  const entry = entryAt(repository, commit, path)
  const content = entry.lfs ? pointerOf(entry.lfs) : entry.content
  await sendContent(exchange, content, entry.oid, fileHeaders(entry, commit))
}

/** GET /{repo}/{sha256}/{path} of the CDN: the target of a redirect. */
export async function sendFromCdn(exchange: Exchange, content: Content, sha256: string): Promise<void> {
  await sendContent(exchange, content, sha256, { 'Content-Type': 'application/octet-stream' })
}

async function sendContent(
  exchange: Exchange,
  content: Content,
  digest: string,
  ownHeaders: Record<string, string | number>,
): Promise<void> {
  const etag = `"${digest}"`
  const headers = { ...ownHeaders, 'Accept-Ranges': 'bytes', ETag: etag }
  const selection = selectRange(exchange.request.headers, etag, content.size)
  if (selection.status === 304) return exchange.sendEmpty(304, headers)
  if (selection.status === 416) {
    return exchange.sendEmpty(416, { ...headers, 'Content-Range': `bytes */${content.size}` })
  }
  const { status, span } = selection
  const range = status === 206 ? { 'Content-Range': `bytes ${span.start}-${span.end - 1}/${content.size}` } : {}
  await exchange.sendFile(status, { ...headers, ...range }, content, span)
}

function entryAt(repository: Repository, commit: string, path: string): RepoEntry {
  const entry = repository.filesAt(commit).get(path)
  if (!entry) throw entryNotFound(commit)
  return entry
}

/** `X-Linked-*` describe the file behind a redirect: huggingface_hub prefers their etag and size. */
function fileHeaders({ path, lfs }: RepoEntry, commit: string): Record<string, string | number> {
  const name = path.split('/').at(-1) ?? path
  return {
    'X-Repo-Commit': commit,
    'Content-Disposition': `inline; filename*=UTF-8''${encodeURIComponent(name)}`,
    ...(lfs
      ? { 'Accept-Ranges': 'bytes', 'X-Linked-Etag': `"${lfs.oid}"`, 'X-Linked-Size': lfs.size }
      : { 'Content-Type': textFile.test(path) ? 'text/plain; charset=utf-8' : 'application/octet-stream' }),
  }
}

const textFile = /\.(json|jsonl|txt|md|yml|yaml|jinja|py|gitattributes)$/
