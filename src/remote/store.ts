import type { ObjectBody, StoredObject } from '../model/remote-object.ts'

export type { ObjectBody, StoredObject }

/** Options of every call: the signal ends it. A call has no time limit of its own. */
export interface CallOptions {
  signal: AbortSignal
}

/**
 * A store of objects that machines share. A key is a relative path of ASCII letters, digits and `._-/`, such as
 * `blobs/sha256/ab/abcd`. What a store returns is not trusted: whoever reads it checks its digest or its signature.
 * Each method throws `RemoteError`, or the reason of the signal.
 */
export interface RemoteStore {
  /** The address for messages, without credentials. */
  readonly name: string
  /** True if a part of an object can only be read by reading the object from its beginning. */
  readonly lacksRanges?: boolean
  /** True if an object is read as a file of this machine. */
  readonly isNear?: boolean
  /** The size of an object in bytes, if the store states it. Undefined if there is no such object. */
  has(key: string, options: CallOptions): Promise<{ size?: number } | undefined>
  /** The bytes of an object from `start` up to, but not including, `end`. Default: all. Undefined if there is no such object. */
  get(
    key: string,
    options: CallOptions & { start?: number; end?: number },
  ): Promise<AsyncIterable<Uint8Array> | undefined>
  /**
   * Writes an object, so that others see all of it or nothing. An object that exists is kept, unless `overwrite` is true.
   * `exists`: it was kept.
   */
  put(key: string, body: ObjectBody, options: CallOptions & { overwrite?: boolean }): Promise<'written' | 'exists'>
  /** The objects whose keys begin with `prefix`. Undefined if the store can't list. */
  list?(prefix: string, options: CallOptions): AsyncIterable<StoredObject>
  /** Removes an object. Does nothing if there is none. Undefined if the store can't remove. */
  remove?(key: string, options: CallOptions): Promise<void>
  /** Ends open connections. */
  close?(): void
}

/**
 * Why a call of a store failed. `unreachable`: no connection, or it broke. `denied`: 401 or 403. `full`: no room. `busy`: 429 or 503, try
 * later. `misused`: the address or the settings are wrong. `failed`: everything else.
 */
export type RemoteFailure = 'unreachable' | 'denied' | 'full' | 'busy' | 'misused' | 'failed'

/** The failure of a call of a store. The message names the store and the reason, without credentials. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'

  constructor(
    readonly failure: RemoteFailure,
    message: string,
    readonly options: { cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
  }
}
