import { originals } from '../platform/originals.ts'

// A refused token is tried again after this time: its owner may have changed its permissions at the Hub.
const REFUSED_FOR_MS = 60_000
const refusedAt = new Map<string, number>()

/** True when the endpoint refused the token a short time ago. Sending it again would double the number of requests. */
export function isRefused(endpoint: string, token: string): boolean {
  const at = refusedAt.get(keyOf(endpoint, token))
  return at !== undefined && originals.monotonic() - at < REFUSED_FOR_MS
}

export function noteRefused(endpoint: string, token: string): void {
  refusedAt.set(keyOf(endpoint, token), originals.monotonic())
}

function keyOf(endpoint: string, token: string): string {
  return `${endpoint} ${token}`
}
