import type { Answer } from '../../net/fetch.ts'
import { retryAfterMs } from '../../net/retry-after.ts'
import { RemoteError, type RemoteFailure } from '../store.ts'

const FAILURES: Record<number, RemoteFailure> = {
  401: 'denied',
  403: 'denied',
  407: 'misused',
  408: 'busy',
  413: 'full',
  423: 'busy',
  425: 'busy',
  429: 'busy',
  503: 'busy',
  507: 'full',
}

/** The failure that a status states. The text of the answer is not used: it could repeat the credentials. */
export function failureOf(name: string, method: string, { status, headers }: Answer): RemoteError {
  const isRead = method === 'GET' || method === 'HEAD'
  // To a writer, a server that takes no uploads is one that refuses them.
  if (status === 405 || status === 501)
    return new RemoteError(isRead ? 'misused' : 'denied', `${name} does not support ${method} (HTTP ${status})`)
  const answered = `${name} answered ${method} with HTTP ${status}`
  if (method === 'PUT' && status === 404)
    return new RemoteError('misused', `${answered}. Check the path of the address`)
  return new RemoteError(FAILURES[status] ?? 'failed', answered, { retryAfterMs: retryAfterMs(headers) })
}

/** True if the server states that there is no such object. */
export function isAbsent({ status }: Answer): boolean {
  return status === 404 || status === 410
}

/** Throws `RemoteError` if the answer is not an object with its own bytes. */
export function checkIsObject(name: string, method: string, answer: Answer): void {
  if (answer.status !== 200 && answer.status !== 206) throw failureOf(name, method, answer)
  // The page of a login, or of an app that answers every address.
  if (/^\s*text\/html\b/i.test(answer.headers.get('Content-Type') ?? ''))
    throw new RemoteError('misused', `${name} answered with an HTML page. Check the address and the credentials`)
  const encoding = answer.headers.get('Content-Encoding')?.trim().toLowerCase() || 'identity'
  if (encoding !== 'identity')
    throw new RemoteError('failed', `${name} answered with compressed bytes, which were not asked for`)
}
