import { messageOf } from '../model/errors.ts'
import { linkedController, originals, sleep } from '../platform/originals.ts'
import { untilAborted } from '../platform/until-aborted.ts'
import { FruitlessTime } from './fruitless-time.ts'
import { liveTimer } from './live-timer.ts'
import { RemoteError, type RemoteFailure, type RemoteStore } from './store.ts'
import { watchedBody } from './watched-body.ts'

// How long a test run waits: for the first byte of an object, for a body that stalls, and in all for answers that there is no such object.
const LIMITS = { firstByteMs: 2_000, stallMs: 5_000, fruitlessMs: 3_000 }
const FIRST_DELAY_MS = 100
// After such a failure, further calls would fail, too.
const OF_ALL_CALLS: readonly RemoteFailure[] = ['unreachable', 'denied', 'misused', 'busy']
// One damaged object says little about the others.
const MOST_FAILURES = 3

interface ReadOptions {
  signal?: AbortSignal
  start?: number
  end?: number
}

/**
 * A remote that a run reads from. After a failure that says that further calls would fail, too, it is left alone for the rest of the run:
 * calls that are under way end, and later ones find nothing. So it costs one delay, however many models are asked for.
 */
export class Remote {
  /** Why the remote is left alone. Undefined while it is used. */
  leftAlone: string | undefined
  /** Why it refused to be written: this process only reads from it any more. Undefined if it did not refuse. */
  refusal: string | undefined
  /** The objects that could not be read, since the last one that could. */
  #failures = 0
  #wrongObjects = 0
  #isLackTold = false
  readonly #fruitless = new FruitlessTime()
  readonly #calls = new Set<AbortController>()
  readonly #limits: typeof LIMITS

  constructor(
    readonly store: RemoteStore,
    readonly tell: { warn: (message: string) => void; leaveAlone: (message: string) => void },
    stallMs = LIMITS.stallMs,
  ) {
    this.#limits = {
      firstByteMs: Math.min(stallMs, LIMITS.firstByteMs),
      stallMs: Math.min(stallMs, LIMITS.stallMs),
      fruitlessMs: Math.min(stallMs, LIMITS.fruitlessMs),
    }
  }

  get name(): string {
    return this.store.name
  }

  /** False if nothing is read any more: the remote is left alone, or it took long to say that it has nothing of what was asked for. */
  get isAsked(): boolean {
    return this.leftAlone === undefined && this.#fruitless.ms < this.#limits.fruitlessMs
  }

  /**
   * The bytes of an object, once the first of them arrived. Undefined if there is no such object, or if the remote is not asked any
   * more. Throws `RemoteError` if the remote failed for this object only. The body throws it, too.
   */
  async get(key: string, options: ReadOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (!this.isAsked) return undefined
    const { controller, unlink } = linkedController(options.signal)
    this.#calls.add(controller)
    const end = () => {
      unlink()
      this.#calls.delete(controller)
    }
    const endWait = this.#fruitless.begin()
    let gotBytes = false
    try {
      const opened = await this.#firstBytes(key, options, controller)
      gotBytes = opened !== undefined
      if (opened)
        return watchedBody(opened, {
          controller,
          stallMs: this.#limits.stallMs,
          onStall: (error) => this.leaveAlone(error.message),
          onEnd: end,
        })
      end()
      return undefined
    } catch (error) {
      end()
      options.signal?.throwIfAborted()
      if (error instanceof RemoteError && OF_ALL_CALLS.includes(error.failure)) this.leaveAlone(messageOf(error))
      if (this.leftAlone !== undefined) return undefined
      throw error
    } finally {
      endWait(gotBytes)
    }
  }

  /** Called after an object was read, and had the right digest. */
  noteSuccess(): void {
    this.#failures = 0
  }

  /** Called after an object could not be read. */
  noteFailure(reason: string): void {
    if (++this.#failures >= MOST_FAILURES) this.leaveAlone(reason)
  }

  /** Called after an object was read that is not what its key says. Only the first one is worth a warning. */
  noteWrong(reason: string): void {
    if (++this.#wrongObjects === 1)
      this.tell.warn(
        `An object of the remote ${this.name} is wrong, and is not used. ${reason.replace(/\.$/, '')}. Remove it there.`,
      )
    if (this.#wrongObjects >= MOST_FAILURES) this.#stop(reason)
  }

  /** Called after an object was not found that another one names. Only the first one is worth a warning. */
  noteLack(reason: string): void {
    if (this.#isLackTold) return
    this.#isLackTold = true
    this.tell.warn(`The remote ${this.name} is not complete. ${reason} The next upload of the file completes it.`)
  }

  /** Ends all calls, and makes no more. Warns once. */
  leaveAlone(reason: string): void {
    if (this.leftAlone !== undefined) return
    this.#stop(reason)
    // The messages of stores begin with the name.
    const why = reason.replaceAll(`${this.name}: `, '').replaceAll(this.name, 'it').replace(/\.$/, '')
    this.tell.leaveAlone(
      `The remote ${this.name} is not used any more in this run: ${why}. What is missing comes from the Hub.`,
    )
  }

  #stop(reason: string): void {
    this.leftAlone = reason
    for (const call of this.#calls) call.abort(new RemoteError('unreachable', reason))
    this.store.close?.()
  }

  /** Calls the store until an object begins to arrive. A store that is busy is asked again within `firstByteMs`. */
  async #firstBytes(key: string, { start, end }: ReadOptions, controller: AbortController) {
    const { signal } = controller
    const { firstByteMs } = this.#limits
    const late = new RemoteError('unreachable', `it gave no answer within ${firstByteMs / 1000} s`)
    const began = originals.monotonic()
    const endTimer = liveTimer(firstByteMs, () => controller.abort(late))
    const open = async () => {
      const iterator = (await this.store.get(key, { signal, start, end }))?.[Symbol.asyncIterator]()
      return iterator && { iterator, first: await iterator.next() }
    }
    try {
      for (let delayMs = FIRST_DELAY_MS; ; delayMs *= 2) {
        try {
          return await untilAborted(signal, open())
        } catch (error) {
          const isBusy = error instanceof RemoteError && error.failure === 'busy'
          const waitMs = isBusy ? (error.options.retryAfterMs ?? delayMs) : Number.POSITIVE_INFINITY
          if (originals.monotonic() - began + waitMs >= firstByteMs) throw error
          await sleep(waitMs, signal)
        }
      }
    } finally {
      endTimer()
    }
  }
}
