import type { ObjectBody } from '../../remote/store.ts'
import { type CallSettings, StoreCalls } from './store-calls.ts'

/** Something in the store contradicts what this cache knows, and objects are never overwritten. */
export class ForeignObject extends Error {
  override readonly name = 'ForeignObject'
}

/** Counts what was done for a model. Bytes. */
export interface Sent {
  sent(bytes: number): void
  present(bytes: number): void
}

interface UploadOptions extends CallSettings {
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

/** The calls of one push. */
export class Upload extends StoreCalls<UploadOptions> {
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
    return this.call(async (signal, progressed) => {
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
