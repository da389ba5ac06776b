import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { originals } from '../../platform/originals.ts'
import { bytesOfBody } from '../bytes-of-body.ts'
import type { CallOptions, ObjectBody } from '../store.ts'
import { ask, type Bucket } from './bucket.ts'
import { explain, statusOf } from './explain.ts'
import { importUpload } from './import-sdk.ts'
import { sizeOf } from './read-object.ts'

// Up to three parts are sent at once while the next one is read: 32 MB of memory.
const PART_BYTES = 8 * 2 ** 20
const PARTS_AT_ONCE = 3
const MOST_PARTS = 10_000
const CLEANUP_WITHIN_MS = 5_000

type Condition = { IfNoneMatch?: '*' }

/** One object to write. */
interface Put {
  bucket: Bucket
  key: string
  body: ObjectBody
  signal: AbortSignal
}

/**
 * Writes an object, a large one in parts. One that exists is kept: we look first, because some servers ignore the condition of an
 * upload, and because a large upload would be in vain.
 */
export async function putObject(
  bucket: Bucket,
  key: string,
  body: ObjectBody,
  { signal, overwrite = false }: CallOptions & { overwrite?: boolean },
): Promise<'written' | 'exists'> {
  const put = { bucket, key, body, signal }
  if (overwrite) return write(put)
  if ((await sizeOf(bucket, key, signal)) !== undefined) return 'exists'
  if (!bucket.takesConditions) return write(put)
  try {
    return await upload(put, { IfNoneMatch: '*' })
  } catch (error) {
    signal.throwIfAborted()
    const status = statusOf(error)
    if (status === 412) return 'exists'
    // Another upload of this object is under way, or has just ended.
    if (status === 409 && (await sizeOf(bucket, key, signal)) !== undefined) return 'exists'
    const explained = explain(bucket, error)
    if (explained.failure !== 'failed' || (status !== 400 && status !== 501)) throw explained
    const result = await write(put)
    bucket.takesConditions = false
    return result
  }
}

function write(put: Put) {
  return ask(put.bucket, put.signal, () => upload(put, {}))
}

async function upload(put: Put, condition: Condition): Promise<'written'> {
  const { bucket, key, body, signal } = put
  if (body.size > PART_BYTES) return uploadInParts(put, condition)
  const chunks: Uint8Array[] = []
  for await (const chunk of bytesOfBody(body)) chunks.push(chunk)
  const command = new bucket.sdk.PutObjectCommand({ ...bucket.at(key), ...condition, Body: Buffer.concat(chunks) })
  await bucket.client.send(command, { abortSignal: signal })
  return 'written'
}

async function uploadInParts({ bucket, key, body, signal }: Put, condition: Condition): Promise<'written'> {
  const { Upload } = await importUpload()
  const bytes = Readable.from(bytesOfBody(body), { objectMode: false })
  const attempt = new Attempt(bucket, signal)
  try {
    await new Upload({
      client: attempt.client,
      params: { ...bucket.at(key), ...condition, Body: bytes, ContentLength: body.size },
      partSize: Math.max(PART_BYTES, Math.ceil(body.size / MOST_PARTS)),
      queueSize: PARTS_AT_ONCE,
      // We remove them: the library can throw the failure of that in place of the first one, and older versions forget some.
      leavePartsOnError: true,
    }).done()
    return 'written'
  } catch (error) {
    await attempt.removeParts(key)
    throw attempt.failure ?? error
  } finally {
    bytes.destroy()
  }
}

type Command = Parameters<S3Client['send']>[0]

/** One upload in parts. It ends with the first failure: the library alone would send the other parts. */
class Attempt {
  readonly client: S3Client
  /** The first failure of a request. */
  failure: unknown
  #uploadId: string | undefined
  readonly #bucket: Bucket
  readonly #signal: AbortSignal
  readonly #stop = new originals.AbortController()

  constructor(bucket: Bucket, signal: AbortSignal) {
    this.#bucket = bucket
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
    this.client = Object.create(bucket.client, { send: { value: (command: Command) => this.#send(command) } })
  }

  /** Removes what was sent. Otherwise it would take room until a rule of the bucket removes it. */
  async removeParts(key: string): Promise<void> {
    if (this.#uploadId === undefined) return
    const { client, sdk, at } = this.#bucket
    const command = new sdk.AbortMultipartUploadCommand({ ...at(key), UploadId: this.#uploadId })
    // The upload has failed anyway.
    await client.send(command, { abortSignal: AbortSignal.timeout(CLEANUP_WITHIN_MS) }).catch(() => undefined)
  }

  async #send(command: Command): Promise<unknown> {
    try {
      const output = await this.#bucket.client.send(command, { abortSignal: this.#signal })
      if ('UploadId' in output) this.#uploadId ??= output.UploadId
      return output
    } catch (error) {
      this.failure ??= error
      this.#stop.abort()
      throw error
    }
  }
}
