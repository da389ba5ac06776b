import { isSystemError, messageOf, nameOf } from '../model/errors.ts'
import type { ObjectBytes, UserRemote } from '../model/remote-object.ts'
import { part } from './part.ts'
import { RemoteError, type RemoteStore } from './store.ts'

/** The store of a remote that the user wrote. */
export function userStore(user: UserRemote): RemoteStore {
  const name = user.name ?? 'your own remote'
  const call = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw explained(name, signal, error)
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
        const chunks = chunksOf(bytes, (error) => explained(name, signal, error))
        return user.ranges ? chunks : part(chunks, start, end)
      }),
    put: (key, body, { signal, overwrite }) =>
      call(signal, async () => {
        if (!overwrite && (await user.has(key, { signal }))) return 'exists'
        return (await user.put(key, body, { signal, overwrite })) === 'exists' ? 'exists' : 'written'
      }),
    ...(user.list && { list: (prefix, options) => listed(user, name, prefix, options.signal) }),
    ...(user.remove && {
      remove: (key, { signal }) =>
        call(signal, async () => {
          await user.remove?.(key, { signal })
        }),
    }),
  }
}

async function* listed(user: UserRemote, name: string, prefix: string, signal: AbortSignal) {
  try {
    yield* user.list?.(prefix, { signal }) ?? []
  } catch (error) {
    throw explained(name, signal, error)
  }
}

async function* chunksOf(bytes: ObjectBytes, explain: (error: unknown) => unknown): AsyncGenerator<Uint8Array> {
  try {
    // A `ReadableStream` of Node.js can be iterated, too.
    if (ArrayBuffer.isView(bytes)) yield bytes
    else yield* bytes
  } catch (error) {
    throw explain(error)
  }
}

function explained(name: string, signal: AbortSignal, error: unknown): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof RemoteError) return error
  // `fetch` throws a TypeError if there is no connection.
  const isNetwork = isSystemError(error) || nameOf(error) === 'TypeError'
  return new RemoteError(isNetwork ? 'unreachable' : 'failed', `${name}: ${messageOf(error)}`, { cause: error })
}
