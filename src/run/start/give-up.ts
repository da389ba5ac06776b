import type { CacheContext } from '../../cache/context/context.ts'
import { linkedController, originals } from '../../platform/originals.ts'

// A Hub that works answers its first request within a second or two. To ask in vain takes some three minutes.
const PATIENCE_MS = 10_000
const LOOKS = 40

/**
 * A signal for downloads that may not be needed. It aborts with `signal`, and when the Hub has been asked and has not answered anything for
 * `patienceMs`. `onGivenUp` is called then. `end` has to be called when the downloads have ended.
 */
export function untilGivenUp(
  { silence }: CacheContext,
  { signal, onGivenUp, patienceMs = PATIENCE_MS }: { signal: AbortSignal; onGivenUp: () => void; patienceMs?: number },
): { signal: AbortSignal; end: () => void } {
  const { controller, unlink } = linkedController(signal)
  const look = () => {
    if (silence.ms < patienceMs) return
    originals.clearInterval(timer)
    onGivenUp()
    controller.abort(new Error('The Hub does not answer.'))
  }
  const timer = originals.setInterval(look, patienceMs / LOOKS)
  timer.unref()
  const end = () => {
    originals.clearInterval(timer)
    unlink()
  }
  return { signal: controller.signal, end }
}
