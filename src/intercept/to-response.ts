import type { Answer } from './answer.ts'
import type { AskedRequest } from './asked-request.ts'
import { fileBody } from './file-body.ts'

// Those of node:http, which would be loaded for them alone.
const STATUS_TEXTS = new Map([
  [200, 'OK'],
  [206, 'Partial Content'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [410, 'Gone'],
  [416, 'Range Not Satisfiable'],
  [451, 'Unavailable For Legal Reasons'],
])

/**
 * The answer as `fetch` gives it, of the class that the caller's own `fetch` would give; an abort of the request ends its
 * body too.
 */
export function toResponse({ status, headers, body }: Answer, request: AskedRequest, Class: typeof Response): Response {
  const content =
    typeof body === 'object'
      ? (fileBody(body, request.signal) as ReadableStream<Uint8Array>)
      : request.method === 'HEAD'
        ? null
        : (body ?? null)
  const response = new Class(content, { status, statusText: STATUS_TEXTS.get(status) ?? '', headers })
  return withUrl(response, request.url)
}

/** A response that was made has no address of its own; callers look at it for errors and for names. */
function withUrl(response: Response, url: string): Response {
  const { clone } = response
  const cloneWithUrl = () => withUrl(Reflect.apply(clone, response, []), url)
  return Object.defineProperties(response, { url: { value: url }, clone: { value: cloneWithUrl } })
}
