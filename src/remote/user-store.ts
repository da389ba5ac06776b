import { isUint8Array } from 'node:util/types'
import { messageOf } from '../model/errors.ts'
import type { ObjectBytes, UserRemote } from '../model/remote-object.ts'
import { isNetworkError } from '../net/connection-error.ts'
import { part } from './part.ts'
import { RemoteError, type RemoteFailure, type RemoteStore } from './store.ts'

/** The store of a remote that the user wrote. */
export function userStore(user: UserRemote): RemoteStore {
  const name = user.name ?? 'your own remote'
  const call = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw explained(signal, error)
    }
  }
  return {
    name,
    lacksRanges: user.ranges !== true,
    has: (key, { signal }) =>
      call(signal, async () => {
        const found = await user.has(key, { signal })
        return typeof found === 'object' ? found : found ? {} : undefined
      }),
    get: (key, { signal, start, end }) =>
      call(signal, async () => {
        const asked = user.ranges ? { signal, start, end } : { signal }
        const bytes = await user.get(key, asked)
        if (!bytes) return undefined
        const chunks = chunksOf(bytes, (error) => explained(signal, error))
        return user.ranges ? chunks : part(chunks, start, end)
      }),
    put: (key, body, { signal, overwrite }) =>
      call(signal, async () => {
        if (!overwrite && (await user.has(key, { signal }))) return 'exists'
        return (await user.put(key, body, { signal, overwrite })) === 'exists' ? 'exists' : 'written'
      }),
    ...(user.list && { list: (prefix, options) => listed(user, prefix, options.signal) }),
    ...(user.remove && {
      remove: (key, { signal }) =>
        call(signal, async () => {
          await user.remove?.(key, { signal })
        }),
    }),
  }
}

async function* listed(user: UserRemote, prefix: string, signal: AbortSignal) {
  try {
    yield* user.list?.(prefix, { signal }) ?? []
  } catch (error) {
    throw explained(signal, error)
  }
}

async function* chunksOf(bytes: ObjectBytes, explain: (error: unknown) => unknown): AsyncGenerator<Uint8Array> {
  try {
    // A `ReadableStream` of Node.js can be iterated, too.
    if (ArrayBuffer.isView(bytes)) yield checked(bytes)
    else for await (const chunk of bytes) yield checked(chunk)
  } catch (error) {
    throw explain(error)
  }
}

/** Users who write JavaScript, or a cast, may give something else. */
function checked(chunk: unknown): Uint8Array {
  if (isUint8Array(chunk)) return chunk
  throw new TypeError('`get` gave something else than a Uint8Array, or a stream of them')
}

function explained(signal: AbortSignal, error: unknown): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof RemoteError) return error
  return new RemoteError(failureOf(error), messageOf(error), { cause: error })
}

/** By the error of a connection, or by the `status` of an HTTP response that clients put into their errors. */
function failureOf(error: unknown): RemoteFailure {
  const status: unknown = Reflect.get(Object(error), 'status')
  if (status === 401 || status === 403) return 'denied'
  if (status === 429 || status === 503) return 'busy'
  return isNetworkError(error) ? 'unreachable' : 'failed'
}
