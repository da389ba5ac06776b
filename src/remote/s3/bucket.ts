import type { S3Client } from '@aws-sdk/client-s3'
import { nameOf } from '../../model/errors.ts'
import { signWithRealTime } from './client.ts'
import { explain, statusOf, wasSkewed } from './explain.ts'
import type { importClient } from './import-sdk.ts'

/** What all calls of one store share. */
export interface Bucket {
  /** For messages. */
  name: string
  client: S3Client
  /** False if there were no credentials. */
  signs: boolean
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
    return await asked().catch((error) => {
      // The clock of this machine is wrong. The SDK has learned the time of the server.
      if (wasSkewed(error)) return asked()
      throw error
    })
  } catch (error) {
    signal.throwIfAborted()
    throw explain(bucket, error)
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
