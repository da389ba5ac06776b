import { messageOf, nameOf, systemCode } from '../model/errors.ts'

/** A failure below HTTP: no connection, a broken connection, or a peer that does not speak HTTP. `cause` holds the reason. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  constructor(cause: unknown) {
    super('no HTTP response', { cause })
  }
}

/** True for a failure of the network: fetch failed, or the connection broke in the middle. */
export function isNetworkError(error: unknown): boolean {
  const code = systemCode(error) ?? ''
  // For every failure below HTTP, fetch throws a TypeError with the socket's error as its cause.
  const isOfFetch = nameOf(error) === 'TypeError' && /^(fetch failed|terminated)$/.test(messageOf(error))
  return error instanceof ConnectionError || isOfFetch || code.startsWith('UND_ERR_') || NETWORK_CODES.has(code)
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
])

/** The message of the innermost `cause`: the message of undici's outer error is always "fetch failed". */
export function rootMessage(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'cause' in error && error.cause) return rootMessage(error.cause)
  return messageOf(error) || systemCode(error) || 'unknown reason'
}
