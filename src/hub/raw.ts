import { type HubAccess, hubFetch } from './http.ts'
import { readText } from './read-text.ts'
import { withRetry } from './retry.ts'
import { underStallWatch } from './stall-watch.ts'

/** A response of the Hub's API, unchanged. */
export interface RawAnswer {
  /** The headers that clients read: `Content-Type`, and `Link` for the next page of a listing. */
  headers: Record<string, string>
  body: string
}

export interface RawRequest {
  /** Path and query below the endpoint; starts with a slash. */
  address: string
  method: string
  body?: string
  contentType?: string
  signal?: AbortSignal
  stallMs?: number
}

/**
 * Sends a request to the Hub without a token. Throws `HubHttpError` for a response with an error status, `HUB_ERROR` for one
 * that is too large, and the errors of `fetch`.
 */
export async function fetchRaw({ token: _, ...hub }: HubAccess, request: RawRequest): Promise<RawAnswer> {
  const { address, method, body, contentType, signal, stallMs } = request
  const { endpoint } = hub
  const asked = `${method} ${address}`
  const headers = contentType === undefined ? undefined : { 'Content-Type': contentType }
  const attempt = () =>
    underStallWatch({ path: 'The answer', signal, stallMs }, async (watch) => {
      const response = await hubFetch(hub, watch.signal)(`${endpoint}${address}`, { method, body, headers })
      const kept = ['Content-Type', 'Link'].flatMap((name) => {
        const value = response.headers.get(name)
        return value === null ? [] : [[name, value]]
      })
      return { headers: Object.fromEntries(kept), body: await readText(response, { asked, endpoint, watch }) }
    })
  return withRetry(attempt, { signal, endpoint })
}
