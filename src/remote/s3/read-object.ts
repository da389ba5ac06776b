import { Readable } from 'node:stream'
import { isKey } from '../folder/names.ts'
import { type CallOptions, RemoteError, type StoredObject } from '../store.ts'
import { ask, askFor, type Bucket } from './bucket.ts'
import { explain, statusOf } from './explain.ts'

/** The size of an object in bytes. Undefined if there is no such object. */
export async function sizeOf(bucket: Bucket, key: string, signal: AbortSignal): Promise<number | undefined> {
  const command = new bucket.sdk.HeadObjectCommand(bucket.at(key))
  const answer = await askFor(bucket, signal, () => bucket.client.send(command, { abortSignal: signal }))
  return answer && (answer.ContentLength ?? 0)
}

/** The bytes of an object from `start` up to `end`. Undefined if there is no such object. */
export async function getObject(
  bucket: Bucket,
  key: string,
  { signal, start = 0, end }: CallOptions & { start?: number; end?: number },
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const isPart = start > 0 || end !== undefined
  if (end !== undefined && end <= start)
    return (await sizeOf(bucket, key, signal)) === undefined ? undefined : nothing()
  const range = isPart ? { Range: `bytes=${start}-${end === undefined ? '' : end - 1}` } : {}
  const command = new bucket.sdk.GetObjectCommand({ ...bucket.at(key), ...range })
  const answer = await askFor(bucket, signal, () =>
    bucket.client.send(command, { abortSignal: signal }).catch((error) => {
      // The object ends before the range begins.
      if (isPart && statusOf(error) === 416) return 'nothing' as const
      throw error
    }),
  )
  if (answer === undefined) return undefined
  if (answer === 'nothing') return nothing()
  if (!(answer.Body instanceof Readable)) throw new RemoteError('failed', `${bucket.name} sent no body`)
  if (isPart && !answer.ContentRange?.startsWith(`bytes ${start}-`)) {
    answer.Body.destroy()
    throw new RemoteError('failed', `${bucket.name} did not send the range that was asked for`)
  }
  return chunksOf(bucket, answer.Body, signal, end === undefined ? undefined : end - start)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Not more than `most` bytes: some servers send more than the range that was asked for. */
async function* chunksOf(
  bucket: Bucket,
  body: Readable,
  signal: AbortSignal,
  most = Number.POSITIVE_INFINITY,
): AsyncIterable<Uint8Array> {
  let left = most
  try {
    for await (const chunk of body) {
      if (left > 0) yield chunk.length > left ? chunk.subarray(0, left) : chunk
      left -= chunk.length
      if (left < 0) return
    }
  } catch (error) {
    signal.throwIfAborted()
    throw explain(bucket, error)
  }
}

/** The objects whose keys begin with `prefix`, page by page. `root` is the prefix of the store. */
export async function* listObjects(bucket: Bucket, prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
  const { Bucket, Key: at } = bucket.at(prefix)
  const root = at.length - prefix.length
  let token: string | undefined
  do {
    const command = new bucket.sdk.ListObjectsV2Command({ Bucket, Prefix: at, ContinuationToken: token })
    const page = await ask(bucket, signal, () => bucket.client.send(command, { abortSignal: signal }))
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      const key = Key.slice(root)
      // The server could name others, which somebody may then remove.
      const isOurs = Key.startsWith(at) && isKey(key)
      if (isOurs) yield { key, size: Size, modifiedMs: LastModified?.getTime() ?? 0 }
    }
    const next = page.IsTruncated ? page.NextContinuationToken : undefined
    if (next !== undefined && next === token)
      throw new RemoteError('failed', `${bucket.name} sent the same page of its list again`)
    token = next
  } while (token !== undefined)
}
