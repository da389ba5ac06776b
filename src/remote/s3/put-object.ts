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
  if (overwrite) return write(bucket, key, body, signal, {})
  if ((await sizeOf(bucket, key, signal)) !== undefined) return 'exists'
  if (!bucket.takesConditions) return write(bucket, key, body, signal, {})
  try {
    return await upload(bucket, key, body, signal, { IfNoneMatch: '*' })
  } catch (error) {
    signal.throwIfAborted()
    const status = statusOf(error)
    if (status === 412) return 'exists'
    // Another upload of this object is under way, or has just ended.
    if (status === 409 && (await sizeOf(bucket, key, signal)) !== undefined) return 'exists'
    const explained = explain(bucket, error)
    if (explained.failure !== 'failed' || (status !== 400 && status !== 501)) throw explained
    const result = await write(bucket, key, body, signal, {})
    bucket.takesConditions = false
    return result
  }
}

function write(bucket: Bucket, key: string, body: ObjectBody, signal: AbortSignal, condition: Condition) {
  return ask(bucket, signal, () => upload(bucket, key, body, signal, condition))
}

async function upload(
  bucket: Bucket,
  key: string,
  body: ObjectBody,
  signal: AbortSignal,
  condition: Condition,
): Promise<'written'> {
  if (body.size > PART_BYTES) return uploadInParts(bucket, key, body, signal, condition)
  const chunks: Uint8Array[] = []
  for await (const chunk of bytesOfBody(body)) chunks.push(chunk)
  const command = new bucket.sdk.PutObjectCommand({ ...bucket.at(key), ...condition, Body: Buffer.concat(chunks) })
  await bucket.client.send(command, { abortSignal: signal })
  return 'written'
}

async function uploadInParts(
  bucket: Bucket,
  key: string,
  body: ObjectBody,
  signal: AbortSignal,
  condition: Condition,
): Promise<'written'> {
  const { Upload } = await importUpload()
  const bytes = Readable.from(bytesOfBody(body), { objectMode: false })
  const attempt = new Attempt(bucket, signal)
  try {
    await new Upload({
      client: attempt.client,
      params: { ...bucket.at(key), ...condition, Body: bytes, ContentLength: body.size },
      partSize: Math.max(PART_BYTES, Math.ceil(body.size / MOST_PARTS)),
      queueSize: PARTS_AT_ONCE,
    }).done()
    return 'written'
  } catch (error) {
    throw attempt.failure ?? error
  } finally {
    bytes.destroy()
  }
}

/** One upload in parts. After a failure the library would send the other parts, and would throw the failure of its cleanup. */
class Attempt {
  readonly client: S3Client
  /** The first failure of a request. */
  failure: unknown
  private readonly stop = new originals.AbortController()

  constructor(
    private readonly bucket: Bucket,
    private readonly signal: AbortSignal,
  ) {
    const send = (command: Parameters<S3Client['send']>[0]) => this.send(command)
    this.client = Object.create(bucket.client, { send: { value: send } })
  }

  private async send(command: Parameters<S3Client['send']>[0]): Promise<unknown> {
    const { client, sdk } = this.bucket
    if (command instanceof sdk.AbortMultipartUploadCommand)
      return client.send(command, { abortSignal: AbortSignal.timeout(CLEANUP_WITHIN_MS) })
    try {
      return await client.send(command, { abortSignal: AbortSignal.any([this.signal, this.stop.signal]) })
    } catch (error) {
      this.failure ??= error
      this.stop.abort()
      throw error
    }
  }
}
