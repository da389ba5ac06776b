import type { Environment } from '../config/environment-variables.ts'
import { readAddress, shownAddress } from './s3/address.ts'
import { askFor, type Bucket } from './s3/bucket.ts'
import { openClient } from './s3/client.ts'
import { importClient } from './s3/import-sdk.ts'
import { putObject } from './s3/put-object.ts'
import { getObject, listObjects, sizeOf } from './s3/read-object.ts'
import type { RemoteStore } from './store.ts'

/**
 * A store in a bucket of S3, or of a server that speaks its protocol: `s3://bucket/prefix?endpoint=...&region=...&pathStyle=...`. Credentials
 * are found as the AWS tools find them. Without any, requests are not signed, which is enough to read a public bucket. Throws `misused`
 * for a wrong address and if the SDK is not installed.
 */
export async function openS3Store(url: URL, env: Environment): Promise<RemoteStore> {
  const address = readAddress(url, env)
  const [sdk, { client, signs }] = await Promise.all([importClient(), openClient(address, env)])
  const bucket: Bucket = {
    name: shownAddress(url),
    client,
    signs,
    sdk,
    at: (key) => ({ Bucket: address.bucket, Key: `${address.prefix}${key}` }),
    takesConditions: true,
  }
  return {
    name: bucket.name,
    async has(key, { signal }) {
      const size = await sizeOf(bucket, key, signal)
      return size === undefined ? undefined : { size }
    },
    get: (key, options) => getObject(bucket, key, options),
    put: (key, body, options) => putObject(bucket, key, body, options),
    list: (prefix, { signal }) => listObjects(bucket, prefix, signal),
    async remove(key, { signal }) {
      const command = new sdk.DeleteObjectCommand(bucket.at(key))
      await askFor(bucket, signal, () => client.send(command, { abortSignal: signal }))
    },
    close: () => client.destroy(),
  }
}
