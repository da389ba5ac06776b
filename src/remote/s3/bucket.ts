import type { S3Client } from '@aws-sdk/client-s3'
import { nameOf } from '../../model/errors.ts'
import { signWithRealTime } from './client.ts'
import { explain, statusOf } from './explain.ts'
import type { importClient } from './import-sdk.ts'

/** What all calls of one store share. */
export interface Bucket {
  /** For messages. */
  name: string
  client: S3Client
  sdk: Awaited<ReturnType<typeof importClient>>
  /** The names of the bucket and of an object, as the SDK takes them. */
  at(key: string): { Bucket: string; Key: string }
  /** False after the server has refused `If-None-Match` of an upload as unknown. */
  takesConditions: boolean
}

/** Asks the server. Throws `RemoteError`, or the reason of the signal. */
export async function ask<Answer>(bucket: Bucket, signal: AbortSignal, asked: () => Promise<Answer>): Promise<Answer> {
  signal.throwIfAborted()
  try {
    signWithRealTime(bucket.client)
    return await asked()
  } catch (error) {
    signal.throwIfAborted()
    throw explain(bucket.name, error)
  }
}

/** Asks the server for an object. Undefined if there is none. Throws `RemoteError`, or the reason of the signal. */
export function askFor<Answer>(
  bucket: Bucket,
  signal: AbortSignal,
  asked: () => Promise<Answer>,
): Promise<Answer | undefined> {
  return ask(bucket, signal, () =>
    asked().catch((error) => {
      if (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket') return undefined
      throw error
    }),
  )
}
