import { GrowingBytes } from '../../platform/growing-bytes.ts'
import { linkedController, originals, sleep } from '../../platform/originals.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import { part } from '../../remote/part.ts'
import { readObject } from '../../remote/read-object.ts'
import { RemoteError, type RemoteStore, type StoredObject } from '../../remote/store.ts'
import type { CacheContext } from '../context/context.ts'

const MOST_TRIES = 3
const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 20_000
/** A call without progress for this many milliseconds has failed. A store may need a while to put the parts of a large object together. */
const STALL_MS = 60_000
/** A command that a person waits for, and that sends no large object. */
const COMMAND_STALL_MS = 15_000

export interface CallSettings {
  signal: AbortSignal
  stallMs?: number
}

/** The calls of one command or push. A call that stalls ends, and what may pass, such as a busy store, is tried again. */
export class StoreCalls<Settings extends CallSettings = CallSettings> {
  constructor(
    readonly store: RemoteStore,
    readonly options: Settings,
  ) {}

  has(key: string): Promise<{ size?: number } | undefined> {
    return this.call((signal) => this.store.has(key, { signal }))
  }

  /** A whole object. Throws `UnusableObject` if it is larger than `limit` bytes. */
  read(key: string, limit: number): Promise<Uint8Array | undefined> {
    return this.call((signal) => readObject(this.store, key, { limit, signal }))
  }

  /** The first `bytes` bytes of an object. */
  readStart(key: string, bytes: number): Promise<Uint8Array | undefined> {
    return this.call(async (signal) => {
      const chunks = await this.store.get(key, { signal, start: 0, end: bytes })
      if (!chunks) return undefined
      const read = new GrowingBytes()
      for await (const chunk of part(chunks, 0, bytes)) read.add(chunk)
      return read.all
    })
  }

  /** All objects whose keys begin with `prefix`. None if the store can't list. */
  list(prefix: string): Promise<StoredObject[]> {
    return this.call(async (signal, progressed) => {
      const objects: StoredObject[] = []
      for await (const object of this.store.list?.(prefix, { signal }) ?? []) {
        progressed()
        objects.push(object)
      }
      return objects
    })
  }

  /** True if the store lists its objects. Throws `RemoteError` only if it can't be reached. */
  async canList(): Promise<boolean> {
    const { list } = this.store
    if (!list) return false
    try {
      await this.call(async (signal) => {
        for await (const _ of list.call(this.store, 'models/', { signal })) break
      })
      return true
    } catch (error) {
      if (error instanceof RemoteError && error.failure !== 'unreachable') return false
      throw error
    }
  }

  remove(key: string): Promise<void> {
    return this.call(async (signal) => this.store.remove?.(key, { signal }))
  }

  async call<T>(work: (signal: AbortSignal, progressed: () => void) => Promise<T>): Promise<T> {
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
    try {
      signal.throwIfAborted()
      return await untilAborted(controller.signal, work(controller.signal, progressed))
    } finally {
      originals.clearTimeout(timer)
      unlink()
    }
  }
}

/** The calls of a command that sends no objects, until `signal` or the signal of the cache aborts. */
export function callsOfCommand(
  { options }: CacheContext,
  store: RemoteStore,
  signal = options.signal ?? new originals.AbortController().signal,
): StoreCalls {
  return new StoreCalls(store, { signal, stallMs: options.stallMs ?? COMMAND_STALL_MS })
}

/** Milliseconds until the next try. Undefined after a failure that would not pass. */
function waitAfter(error: unknown, tries: number): number | undefined {
  if (!(error instanceof RemoteError) || !['busy', 'unreachable'].includes(error.failure)) return undefined
  const waitMs = error.options.retryAfterMs ?? FIRST_DELAY_MS * 2 ** (tries - 1)
  return waitMs > LONGEST_DELAY_MS ? undefined : waitMs
}
