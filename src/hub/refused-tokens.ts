import { originals } from '../platform/originals.ts'

// A token that was refused is sent again after a while: its owner may have mended it at the Hub.
const REFUSED_FOR_MS = 60_000
const refusedAt = new Map<string, number>()

/** True when the endpoint refused the token a moment ago: sending it again would cost each request a second one. */
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
