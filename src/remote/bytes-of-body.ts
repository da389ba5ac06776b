import { messageOf } from '../model/errors.ts'
import { type ObjectBody, RemoteError } from './store.ts'

/** The bytes of a body. Throws `RemoteError` if they can't be read, or if there are not as many as it states. */
export async function* bytesOfBody(body: ObjectBody): AsyncGenerator<Uint8Array> {
  const { size } = body
  let read = 0
  try {
    for await (const chunk of body.open()) {
      read += chunk.byteLength
      if (read > size) break
      yield chunk
    }
  } catch (cause) {
    throw new RemoteError('failed', `The bytes to upload can't be read: ${messageOf(cause)}`, { cause })
  }
  if (read !== size)
    throw new RemoteError(
      'failed',
      `There are ${read > size ? 'more' : 'fewer'} bytes to upload than the stated ${size}`,
    )
}
