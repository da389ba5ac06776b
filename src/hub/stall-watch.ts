import { BrokenDownloadError } from '../model/broken-download.ts'
import { linkedController, originals } from '../platform/originals.ts'

export const STALL_MS = 30_000
/** A connection that is slower counts as stalled: a file of 100 MB would take more than a day. */
const FLOOR_BYTES_PER_SECOND = 1_024

/** Ends a request that makes no progress, or almost none, for `stallMs` milliseconds. */
export class StallWatch {
  /** Aborts when the request stalls, and when the caller's signal does. */
  readonly signal: AbortSignal
  /** The error to throw instead of the abort; undefined if the request has not stalled. */
  stalled: BrokenDownloadError | undefined
  readonly #timer: NodeJS.Timeout
  readonly #unlink: () => void
  #bytes = 0

  constructor({ path, signal, stallMs = STALL_MS }: { path: string; signal?: AbortSignal; stallMs?: number }) {
    const { controller, unlink } = linkedController(signal)
    this.signal = controller.signal
    this.#unlink = unlink
    this.#timer = originals.setInterval(() => {
      if (this.#bytes < (FLOOR_BYTES_PER_SECOND * stallMs) / 1000) {
        this.stalled = new BrokenDownloadError(`${path} stalled: ${this.#bytes} bytes arrived in ${stallMs / 1000} s`)
        controller.abort(this.stalled)
      }
      this.#bytes = 0
    }, stallMs)
    this.#timer.unref()
  }

  saw(bytes: number): void {
    this.#bytes += bytes
  }

  stop(): void {
    originals.clearInterval(this.#timer)
    this.#unlink()
  }
}

/** Runs `call` under a watch. If the request stalled, the stall is thrown instead of the abort error. */
export async function underStallWatch<T>(
  options: ConstructorParameters<typeof StallWatch>[0],
  call: (watch: StallWatch) => Promise<T>,
): Promise<T> {
  const watch = new StallWatch(options)
  try {
    return await call(watch)
  } catch (error) {
    throw watch.stalled ?? error
  } finally {
    watch.stop()
  }
}
