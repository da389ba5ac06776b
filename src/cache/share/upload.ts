import { linkedController, originals, sleep } from '../../platform/originals.ts'
import { readObject } from '../../remote/read-object.ts'
import { type ObjectBody, RemoteError, type RemoteStore } from '../../remote/store.ts'

const MOST_TRIES = 3
const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 20_000
/** A call without progress for this many milliseconds has failed. A store may need a while to put the parts of a large object together. */
const STALL_MS = 60_000

interface UploadOptions {
  signal: AbortSignal
  stallMs?: number
  /** True: nothing is written. */
  isDry?: boolean
}

interface UploadBody extends ObjectBody {
  /** Why it could not be read. */
  failure?: unknown
}

interface PutOptions {
  overwrite?: boolean
  /** Called with the bytes that are sent. A negative number takes back those of which nothing was kept. */
  onBytes?: (bytes: number) => void
}

/** The calls of one push. A call that stalls ends, and what may pass, such as a busy store, is tried again. */
export class Upload {
  constructor(
    readonly store: RemoteStore,
    readonly options: UploadOptions,
  ) {}

  has(key: string): Promise<{ size?: number } | undefined> {
    return this.#call((signal) => this.store.has(key, { signal }))
  }

  /** A whole object. Throws `UnusableObject` if it is larger than `limit` bytes. */
  read(key: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#call((signal) => readObject(this.store, key, { limit, signal }))
  }

  /** Writes an object. `make` makes its body, for each try anew. Throws the failure of the body, if that is why the call failed. */
  async put(
    key: string,
    make: (onBytes: (bytes: number) => void) => UploadBody,
    { overwrite, onBytes }: PutOptions = {},
  ): Promise<'written' | 'exists'> {
    if (this.options.isDry) {
      onBytes?.(make(() => undefined).size)
      return 'written'
    }
    return this.#call(async (signal, progressed) => {
      let sent = 0
      const body = make((bytes) => {
        sent += bytes
        onBytes?.(bytes)
        progressed()
      })
      let done: 'written' | 'exists' | undefined
      try {
        done = await this.store.put(key, body, { signal, overwrite })
        return done
      } catch (error) {
        throw body.failure ?? error
      } finally {
        if (done !== 'written') onBytes?.(-sent)
      }
    })
  }

  /** The same push, until another signal aborts. */
  within(signal: AbortSignal): Upload {
    return new Upload(this.store, { ...this.options, signal })
  }

  async #call<T>(work: (signal: AbortSignal, progressed: () => void) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(work)
      } catch (error) {
        this.options.signal.throwIfAborted()
        const waitMs = tries < MOST_TRIES ? waitAfter(error, tries) : undefined
        if (waitMs === undefined) throw error
        await sleep(waitMs, this.options.signal)
      }
    }
  }

  /** Ends when the signal aborts, also if the store does not obey it. */
  async #once<T>(work: (signal: AbortSignal, progressed: () => void) => Promise<T>): Promise<T> {
    const { signal, stallMs = STALL_MS } = this.options
    const { controller, unlink } = linkedController(signal)
    // It is not tried again: each try would take as long.
    const stalled = new RemoteError('unreachable', `${this.store.name} made no progress for ${stallMs / 1000} s`, {
      retryAfterMs: Number.POSITIVE_INFINITY,
    })
    const begin = () => originals.setTimeout(() => controller.abort(stalled), stallMs)
    let timer = begin()
    const progressed = () => {
      originals.clearTimeout(timer)
      timer = begin()
    }
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true })
    })
    aborted.catch(() => undefined)
    try {
      signal.throwIfAborted()
      return await Promise.race([work(controller.signal, progressed), aborted])
    } finally {
      originals.clearTimeout(timer)
      unlink()
    }
  }
}

/** Milliseconds until the next try. Undefined after a failure that would not pass. */
function waitAfter(error: unknown, tries: number): number | undefined {
  if (!(error instanceof RemoteError) || !['busy', 'unreachable'].includes(error.failure)) return undefined
  const waitMs = error.options.retryAfterMs ?? FIRST_DELAY_MS * 2 ** (tries - 1)
  return waitMs > LONGEST_DELAY_MS ? undefined : waitMs
}

/** Bytes in memory as a body. */
export function bodyOf(bytes: Uint8Array, onBytes: (bytes: number) => void): UploadBody {
  return {
    size: bytes.byteLength,
    async *open(start = 0, end = bytes.byteLength) {
      onBytes(end - start)
      if (end > start) yield bytes.subarray(start, end)
    },
  }
}
