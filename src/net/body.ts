import type { Body } from './fetch.ts'

/**
 * The chunks of a body. When the signal aborts, its reason is thrown and the connection is closed. The signal is needed here
 * too: not every `fetch` ends the body when its own signal aborts.
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
    // Closes the connection; without effect after the end of the body.
    cancel()
  }
}
