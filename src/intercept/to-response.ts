import type { Answer } from './answer.ts'
import type { AskedRequest } from './asked-request.ts'
import { fileBody } from './file-body.ts'

// The texts of node:http. That module is not loaded just for them.
const STATUS_TEXTS = new Map([
  [200, 'OK'],
  [206, 'Partial Content'],
  [304, 'Not Modified'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [410, 'Gone'],
  [416, 'Range Not Satisfiable'],
  [451, 'Unavailable For Legal Reasons'],
])

/**
 * Makes the response of `fetch` from an answer. Its class is that of the caller's own `fetch`. An abort of the request also ends the
 * body.
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

/** Sets the URL, which a constructed response lacks. Callers use it in error messages, and to derive file names. */
function withUrl(response: Response, url: string): Response {
  const { clone } = response
  const cloneWithUrl = () => withUrl(Reflect.apply(clone, response, []), url)
  return Object.defineProperties(response, { url: { value: url }, clone: { value: cloneWithUrl } })
}
