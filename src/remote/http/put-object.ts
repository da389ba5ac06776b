import { bytesOfBody } from '../bytes-of-body.ts'
import { type CallOptions, type ObjectBody, RemoteError } from '../store.ts'
import type { Folders } from './folders.ts'
import { findObject } from './read-object.ts'
import type { Requests } from './requests.ts'
import { failureOf } from './statuses.ts'

// WebDAV servers answer 409 or 404 for an object without a folder, and nginx answers 500.
const LACKS_FOLDER = [404, 409, 500]

/**
 * Writes an object. One that exists is kept: we look first, because some servers ignore the condition of an upload, and because
 * a large upload would be in vain.
 */
export async function putObject(
  requests: Requests,
  folders: Folders,
  key: string,
  body: ObjectBody,
  { signal, overwrite = false }: CallOptions & { overwrite?: boolean },
): Promise<'written' | 'exists'> {
  const exists = async () => !overwrite && (await findObject(requests, key, signal)) !== undefined
  if (await exists()) return 'exists'
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(body.size),
    ...(!overwrite && { 'If-None-Match': '*' }),
  }
  await folders.prepare(key, signal)
  for (let attempt = 1; ; attempt++) {
    const { answer, isComplete } = await upload(requests, key, body, headers, signal)
    const { ok, status } = answer
    if (ok && isComplete) return 'written'
    if (ok) throw new RemoteError('failed', `${requests.name} answered before it had received all bytes`)
    if (!overwrite && status === 412) return 'exists'
    if (attempt === 1 && LACKS_FOLDER.includes(status) && (await folders.make(key, signal))) continue
    // Another upload of this object is under way, or has just ended.
    if (status === 409 && (await exists())) return 'exists'
    if (status === 400 && requests.isBazel)
      throw new RemoteError(
        'misused',
        `${requests.name} refuses files: start bazel-remote with --disable_http_ac_validation`,
      )
    throw failureOf(requests.name, 'PUT', answer)
  }
}

async function upload(
  requests: Requests,
  key: string,
  body: ObjectBody,
  headers: Record<string, string>,
  signal: AbortSignal,
) {
  const bytes = new Bytes(body)
  try {
    const { answer } = await requests.send({ method: 'PUT', path: key, headers, body: bytes, signal })
    return { answer, isComplete: bytes.isComplete }
  } catch (error) {
    signal.throwIfAborted()
    // The failure of the bytes themselves reaches us as a broken connection.
    throw bytes.failure ?? error
  } finally {
    bytes.stop()
  }
}

/** The bytes of a body on their way. A redirected upload reads them again. */
class Bytes implements AsyncIterable<Uint8Array> {
  /** Why they could not be read. */
  failure: unknown
  /** True if all of them were read. */
  isComplete = false
  #reading = 0

  constructor(readonly body: ObjectBody) {}

  /** Ends an upload that the server has answered already. Node.js's fetch would send the rest. */
  stop(): void {
    this.#reading++
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const reading = ++this.#reading
    let left = this.body.size
    this.isComplete = left === 0
    try {
      for await (const chunk of bytesOfBody(this.body)) {
        if (reading !== this.#reading) throw new Error('The server has answered already')
        left -= chunk.byteLength
        this.isComplete = left === 0
        yield chunk
      }
    } catch (error) {
      if (reading === this.#reading) this.failure = error
      throw error
    }
  }
}
