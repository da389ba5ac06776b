import { untilAborted } from '../platform/until-aborted.ts'
import { liveTimer } from './live-timer.ts'
import { RemoteError } from './store.ts'

// A body that is slower for `stallMs` has stalled.
const FLOOR_BYTES_PER_SECOND = 65_536

/** A body whose first chunk has arrived. */
interface Opened {
  iterator: AsyncIterator<Uint8Array>
  first: IteratorResult<Uint8Array>
}

interface WatchOptions {
  /** Ends the body. */
  controller: AbortController
  /** Milliseconds. */
  stallMs: number
  onStall: (error: RemoteError) => void
  onEnd: () => void
}

/** The chunks of a body. One that stalls or is too slow is ended. The time that the reader takes does not count. */
export async function* watchedBody(
  { iterator, first }: Opened,
  { controller, stallMs, onStall, onEnd }: WatchOptions,
): AsyncGenerator<Uint8Array> {
  let [bytes, isWaiting] = [0, false]
  const endTimer = liveTimer(stallMs, () => {
    if (isWaiting && bytes < (FLOOR_BYTES_PER_SECOND * stallMs) / 1000) {
      const stalled = new RemoteError('unreachable', `it stalled, ${bytes} bytes arrived in ${stallMs / 1000} s`)
      controller.abort(stalled)
      onStall(stalled)
    }
    bytes = 0
  })
  try {
    for (let result = first; !result.done; ) {
      bytes += result.value.byteLength
      yield result.value
      isWaiting = true
      result = await untilAborted(controller.signal, iterator.next())
      isWaiting = false
    }
  } finally {
    endTimer()
    onEnd()
    // Not awaited: if the body hangs, it would never end.
    iterator.return?.().catch(() => undefined)
  }
}
