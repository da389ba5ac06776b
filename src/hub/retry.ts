import { BrokenDownloadError } from '../model/broken-download.ts'
import { nameOf } from '../model/errors.ts'
import { isNetworkError } from '../net/connection-error.ts'
import { originals, sleep } from '../platform/originals.ts'
import { HubHttpError } from './http.ts'

const ATTEMPTS = 5
const FIRST_DELAY_MS = 300
const LONGEST_DELAY_MS = 60_000
// The Hub counts requests in windows of five minutes, so it asks for no longer wait. If a server asks for more, the request
// fails at once.
const LONGEST_ASKED_MS = 330_000

// For this time after all attempts of one request failed, other requests make fewer attempts.
const UNREACHABLE_MS = 10_000
const ATTEMPTS_WHILE_UNREACHABLE = 2
const unreachableSince = new Map<string, number>()

export interface RetryOptions {
  signal?: AbortSignal
  /**
   * The server. If it could not be reached a short time ago, fewer attempts are made: a model needs a request for each file,
   * and each would wait in vain.
   */
  endpoint?: string
  onRetry?: (error: unknown, waitMs: number) => void
  /**
   * Called with the time until the next attempt in milliseconds and the last failure; called with undefined when the attempt
   * starts.
   */
  onWait?: (waitMs: number | undefined, failure?: unknown) => void
  /** True when the failed attempt made good progress: the count of failures then starts again. */
  madeProgress?: () => boolean
}

/**
 * Repeats `attempt` after failures that may pass: 408, 429, 5xx, broken connections and broken bodies. Waits with exponential
 * backoff and jitter, or as long as the server asks. Throws the last failure.
 */
export async function withRetry<T>(attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { endpoint = '' } = options
  const attempts = isUnreachable(endpoint) ? ATTEMPTS_WHILE_UNREACHABLE : ATTEMPTS
  for (let failures = 1; ; failures++) {
    try {
      const result = await attempt()
      unreachableSince.delete(endpoint)
      return result
    } catch (error) {
      if (options.madeProgress?.()) failures = 1
      if (options.signal?.aborted || !mayPass(error)) throw error
      if (failures >= attempts) {
        if (endpoint !== '' && isNetworkError(error)) unreachableSince.set(endpoint, originals.monotonic())
        throw error
      }
      const waitMs = delayAfter(error, failures)
      if (waitMs > LONGEST_ASKED_MS) throw error
      options.onRetry?.(error, waitMs)
      options.onWait?.(waitMs, error)
      await sleep(waitMs, options.signal)
      options.onWait?.(undefined)
    }
  }
}

function isUnreachable(endpoint: string): boolean {
  const since = unreachableSince.get(endpoint)
  return since !== undefined && originals.monotonic() - since < UNREACHABLE_MS
}

/** True for failures that another attempt may avoid. */
export function mayPass(error: unknown): boolean {
  if (error instanceof HubHttpError) return error.status === 408 || error.status === 429 || error.status >= 500
  // A SyntaxError means that a proxy sent a page instead of JSON, which may pass. A full disk does not.
  return error instanceof BrokenDownloadError || isNetworkError(error) || nameOf(error) === 'SyntaxError'
}

function delayAfter(error: unknown, failures: number): number {
  const asked = error instanceof HubHttpError ? error.retryAfterMs : undefined
  if (asked !== undefined) return asked
  const ceiling = Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS)
  return ceiling / 2 + Math.random() * (ceiling / 2)
}
