import type { CachedFile, KnownFile } from '../cache/get-file.ts'
import { blobNameOf } from '../model/digest.ts'
import { type Answer, contentTypeOf, partOf } from './answer.ts'

/** What a GET of a file is answered with, `Range` honoured. */
export function answerFile(cached: CachedFile, range: string | undefined): Answer {
  const { status, headers, part } = describe(cached, range)
  return { status, headers, ...(part && { body: { file: cached.file, ...part } }) }
}

/** What a HEAD of a file is answered with: its bytes need not be there. */
export function answerHead(known: KnownFile, range: string | undefined): Answer {
  const { status, headers } = describe(known, range)
  return { status, headers }
}

function describe({ path, size, digest, commit }: KnownFile, range: string | undefined) {
  const etag = `"${blobNameOf(digest)}"`
  const headers: Record<string, string> = {
    'Accept-Ranges': 'bytes',
    'Content-Type': contentTypeOf(path),
    ETag: etag,
    'X-Repo-Commit': commit,
    'X-Linked-Size': String(size),
    'X-Linked-ETag': etag,
  }
  const asked = partOf(range, size)
  if (asked === 'none') return { status: 416, headers: { ...headers, 'Content-Range': `bytes */${size}` } }
  const part = asked ?? { start: 0, end: size }
  headers['Content-Length'] = String(part.end - part.start)
  if (asked) headers['Content-Range'] = `bytes ${part.start}-${part.end - 1}/${size}`
  return { status: asked ? 206 : 200, headers, part }
}

/** What a file that does not exist at a commit is answered with: transformers.js and @huggingface/hub look at both. */
export function answerMissing(): Answer {
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Error-Code': 'EntryNotFound',
    'X-Error-Message': 'Entry not found',
  }
  return { status: 404, headers, body: 'Entry not found' }
}
