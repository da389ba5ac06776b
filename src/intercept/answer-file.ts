import type { CachedFile, KnownFile } from '../cache/get-file.ts'
import { blobNameOf } from '../model/digest.ts'
import { type Answer, contentTypeOf, partOf } from './answer.ts'
import type { AskedHeaders } from './asked-request.ts'
import { refusal } from './refusal.ts'

/** Answers a GET of a file. `Range` and `If-Range` are honoured. */
export function answerFile(cached: CachedFile, asked: AskedHeaders): Answer {
  const { status, headers, part } = describe(cached, asked)
  return { status, headers, ...(part && { body: { file: cached.file, ...part } }) }
}

/** Answers a HEAD of a file. The file need not be downloaded for it. */
export function answerHead(known: KnownFile, asked: AskedHeaders): Answer {
  const { status, headers } = describe(known, asked)
  return { status, headers }
}

function describe({ path, size, digest, commit }: KnownFile, asked: AskedHeaders) {
  const etag = `"${blobNameOf(digest)}"`
  const headers: Record<string, string> = {
    'Accept-Ranges': 'bytes',
    'Content-Type': contentTypeOf(path),
    ETag: etag,
    'X-Repo-Commit': commit,
    'X-Linked-Size': String(size),
    'X-Linked-ETag': etag,
  }
  if (isNamed(etag, asked.get('If-None-Match'))) return { status: 304, headers }
  const wanted = partOf(rangeFor(etag, asked), size)
  if (wanted === 'none') return { status: 416, headers: { ...headers, 'Content-Range': `bytes */${size}` } }
  const part = wanted ?? { start: 0, end: size }
  headers['Content-Length'] = String(part.end - part.start)
  if (wanted) headers['Content-Range'] = `bytes ${part.start}-${part.end - 1}/${size}`
  return { status: wanted ? 206 : 200, headers, part }
}

/** True if the client has the file already (RFC 9110, 13.1.2). */
function isNamed(etag: string, condition: string | undefined): boolean {
  return condition?.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, ''))) === true
}

/** The `Range` header. Undefined if `If-Range` has another ETag (RFC 9110, 13.1.5), or a date: our answers have no date. */
function rangeFor(etag: string, asked: AskedHeaders): string | undefined {
  const condition = asked.get('If-Range')
  return condition === undefined || condition.trim() === etag ? asked.get('Range') : undefined
}

/** Answers a read of a file that the commit does not have. Clients look at the status and at `X-Error-Code`. */
export function answerMissing({ isApi = false } = {}): Answer {
  return refusal({ status: 404, errorCode: 'EntryNotFound', said: 'Entry not found' }, { isApi })
}
