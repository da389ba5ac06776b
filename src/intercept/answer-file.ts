import type { CachedFile } from '../cache/get-file.ts'
import { blobNameOf } from '../model/digest.ts'
import { type Answer, contentTypeOf, partOf } from './answer.ts'

/** What a GET or HEAD of a file is answered with, `Range` honoured. */
export function answerFile(cached: CachedFile, method: string, range: string | null): Answer {
  const { path, file, size, digest, served } = cached
  const etag = `"${blobNameOf(digest)}"`
  const headers: Record<string, string> = {
    'Accept-Ranges': 'bytes',
    'Content-Type': contentTypeOf(path),
    ETag: etag,
    'X-Repo-Commit': served.commit,
    'X-Linked-Size': String(size),
    'X-Linked-ETag': etag,
  }
  const part = partOf(range, size)
  if (part === 'none') return { status: 416, headers: { ...headers, 'Content-Range': `bytes */${size}` } }
  const { start, end } = part ?? { start: 0, end: size }
  headers['Content-Length'] = String(end - start)
  if (part) headers['Content-Range'] = `bytes ${start}-${end - 1}/${size}`
  const status = part ? 206 : 200
  return { status, headers, ...(method !== 'HEAD' && { body: { file, start, end } }) }
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
