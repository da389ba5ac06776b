import type { Body } from './fetch.ts'

/**
 * The chunks of a body, until the signal aborts: then its reason is thrown, and the connection closed. Whether a body hears of an
 * abort by the signal that was given to `fetch` is up to who made the `fetch`.
 */
export async function* chunksOf(body: Body | null, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!body) return
  const reader = body.getReader()
  const cancel = () => void reader.cancel(signal.reason).catch(() => undefined)
  signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) return
      if (value) yield value
    }
  } finally {
    signal.removeEventListener('abort', cancel)
    // Of what was read to its end nothing is left to close.
    cancel()
  }
}
