/** Bytes. The small files of a model are one object of a remote. A larger file is an object of its own. */
export const LARGEST_SMALL_FILE = 256 << 10

/** Bytes. Only files of this size have chunk maps: to send a smaller one again costs little. */
export const SMALLEST_MAPPED_FILE = 4 << 20

/** Bytes that are written to a remote. They can be read several times, whole or in parts, and parts can be read at once. */
export interface ObjectBody {
  /** Bytes. */
  size: number
  /** The bytes from `start` up to, but not including, `end`. Default: all. */
  open(start?: number, end?: number): AsyncIterable<Uint8Array>
}

/** An object of a remote. */
export interface StoredObject {
  key: string
  /** Bytes. */
  size: number
  /** Milliseconds since 1970. */
  modifiedMs: number
}

/** Bytes as a user's own remote returns them. */
export type ObjectBytes = Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

/**
 * A remote of the user's own, for `defineRemote`. A key is a relative path of ASCII letters, digits and `._-/`. A method that fails throws
 * an error. The signal ends a call.
 */
export interface UserRemote {
  /** The name in messages. Default: `your own remote`. */
  name?: string
  /** True if `get` honours `start` and `end`. Otherwise it is called without them, and returns all bytes. */
  ranges?: boolean
  /** Whether there is such an object, and its size in bytes if that is known. */
  has(key: string, options: { signal: AbortSignal }): Promise<boolean | { size: number }>
  /**
   * The bytes of an object from `start` up to, but not including, `end`. Without them all. Undefined if there is no such object.
   */
  get(
    key: string,
    options: { signal: AbortSignal; start?: number; end?: number },
  ): Promise<ObjectBytes | undefined | null>
  /** Writes an object, so that others see all of it or nothing. */
  put(key: string, body: ObjectBody, options: { signal: AbortSignal; overwrite?: boolean }): Promise<unknown>
  /** The objects whose keys begin with `prefix`. */
  list?(prefix: string, options: { signal: AbortSignal }): AsyncIterable<StoredObject>
  /** Removes an object. */
  remove?(key: string, options: { signal: AbortSignal }): Promise<unknown>
}
