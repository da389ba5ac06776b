import { messageOf } from '../model/errors.ts'
import { linkedController, originals, sleep } from '../platform/originals.ts'
import { type CallOptions, RemoteError, type RemoteFailure, type RemoteStore } from './store.ts'
import { untilAborted } from './until-aborted.ts'

// A test run waits no longer for a remote that does not answer.
const FIRST_BYTE_MS = 2_000
const STALL_MS = 5_000
// A body that is slower for `STALL_MS` is given up.
const FLOOR_BYTES_PER_SECOND = 65_536
const FIRST_DELAY_MS = 100
// These failures would meet each further call, too.
const OF_ALL_CALLS: readonly RemoteFailure[] = ['unreachable', 'denied', 'misused', 'busy']
// One damaged object says little about the others.
const MOST_FAILURES = 3

interface ReadOptions {
  signal?: AbortSignal
  start?: number
  end?: number
}

/**
 * A remote that a run reads from. After a failure that further calls would meet, too, it is left alone for the rest of the run: calls that
 * are under way end, and later ones find nothing. So it costs one delay, however many models are asked for.
 */
export class Remote {
  /** Why the remote is left alone. Undefined while it is used. */
  leftAlone: string | undefined
  /** The failed reads since the last one that succeeded. */
  #failures = 0
  readonly #calls = new Set<AbortController>()

  /** `warn` is called once, if the remote is left alone. */
  constructor(
    readonly store: RemoteStore,
    readonly warn: (message: string) => void,
  ) {}

  get name(): string {
    return this.store.name
  }

  /**
   * The bytes of an object, once the first of them arrived. Undefined if there is no such object, or if the remote is left alone. The body
   * throws `RemoteError`; so does this if the remote failed for this object only.
   */
  async get(key: string, options: ReadOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (this.leftAlone !== undefined) return undefined
    const { controller, unlink } = linkedController(options.signal)
    this.#calls.add(controller)
    const end = () => {
      unlink()
      this.#calls.delete(controller)
    }
    try {
      const opened = await this.#firstBytes(key, { ...options, signal: controller.signal }, controller)
      if (opened) return this.#body(opened, controller, end)
      end()
      return undefined
    } catch (error) {
      end()
      options.signal?.throwIfAborted()
      this.note(error)
      if (this.leftAlone !== undefined) return undefined
      throw error
    }
  }

  /** Counts the failure of a call. The remote is left alone if further calls would fail, too. */
  note(error: unknown): void {
    const isOfAllCalls = error instanceof RemoteError && OF_ALL_CALLS.includes(error.failure)
    if (isOfAllCalls || ++this.#failures >= MOST_FAILURES) this.leaveAlone(messageOf(error))
  }

  /** Called after an object was read, and had the right digest. */
  noteSuccess(): void {
    this.#failures = 0
  }

  /** Ends all calls, and makes no more. */
  leaveAlone(reason: string): void {
    if (this.leftAlone !== undefined) return
    this.leftAlone = reason
    this.warn(
      `The remote ${this.name} is not used any more in this run: ${reason}. What is missing comes from the Hub.`,
    )
    for (const call of this.#calls) call.abort(new RemoteError('unreachable', reason))
    this.store.close?.()
  }

  /** Calls the store until an object begins to arrive. A store that is busy is asked again within `FIRST_BYTE_MS`. */
  async #firstBytes(key: string, options: CallOptions & ReadOptions, controller: AbortController) {
    const late = new RemoteError('unreachable', `${this.name} gave no answer within ${FIRST_BYTE_MS / 1000} s`)
    const began = originals.monotonic()
    const timer = originals.setTimeout(() => controller.abort(late), FIRST_BYTE_MS)
    try {
      for (let delayMs = FIRST_DELAY_MS; ; delayMs *= 2) {
        try {
          return await untilAborted(options.signal, this.#open(key, options))
        } catch (error) {
          const waitMs =
            error instanceof RemoteError && error.failure === 'busy'
              ? (error.options.retryAfterMs ?? delayMs)
              : undefined
          const left = FIRST_BYTE_MS - (originals.monotonic() - began)
          if (waitMs === undefined || waitMs >= left) throw error
          await sleep(waitMs, options.signal)
        }
      }
    } finally {
      originals.clearTimeout(timer)
    }
  }

  async #open(key: string, options: CallOptions & ReadOptions) {
    const iterator = (await this.store.get(key, options))?.[Symbol.asyncIterator]()
    return iterator && { iterator, first: await iterator.next() }
  }

  /** The chunks of a body. One that stalls or is too slow is ended. The time that the reader takes does not count. */
  async *#body(
    { iterator, first }: { iterator: AsyncIterator<Uint8Array>; first: IteratorResult<Uint8Array> },
    controller: AbortController,
    end: () => void,
  ): AsyncGenerator<Uint8Array> {
    let [bytes, isWaiting] = [0, false]
    const watch = originals.setInterval(() => {
      const isSlow = isWaiting && bytes < (FLOOR_BYTES_PER_SECOND * STALL_MS) / 1000
      const message = `${this.name} stalled: ${bytes} bytes arrived in ${STALL_MS / 1000} s`
      if (isSlow) controller.abort(new RemoteError('unreachable', message))
      bytes = 0
    }, STALL_MS)
    watch.unref()
    try {
      for (let result = first; !result.done; ) {
        bytes += result.value.byteLength
        yield result.value
        isWaiting = true
        result = await untilAborted(controller.signal, iterator.next())
        isWaiting = false
      }
    } finally {
      originals.clearInterval(watch)
      end()
      // A body that hangs would not end. Nobody waits for it.
      void iterator.return?.().catch(() => undefined)
    }
  }
}
