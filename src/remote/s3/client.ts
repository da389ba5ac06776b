import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import type { Environment } from '../../config/environment-variables.ts'
import { isLoopback } from '../../model/endpoint.ts'
import { findUploadingFetch } from '../../net/find-fetch.ts'
import { originals, withTimeLimit } from '../../platform/originals.ts'
import { untilAborted } from '../../platform/until-aborted.ts'
import { RemoteError } from '../store.ts'
import type { S3Address } from './address.ts'
import { importClient } from './import-sdk.ts'
import { requestHandler } from './request-handler.ts'

// Names no region for servers that need none. Signatures hold one, and most servers accept this one.
const DEFAULT_REGION = 'us-east-1'

// Credentials can come from a server of the cloud, or from a program that the AWS profile names.
const CREDENTIALS_WITHIN_MS = 5_000

/** A client of the SDK for the address. It signs requests if it finds credentials where the AWS tools look for them. */
export async function openClient(address: S3Address, env: Environment): Promise<{ client: S3Client; signs: boolean }> {
  const { S3Client } = await importClient()
  const handler = requestHandler(() => findUploadingFetch(env))
  const open = (more: S3ClientConfig) => {
    const client = withoutVersionWarning(
      () => new S3Client({ ...settingsOf(address), requestHandler: handler, ...more }),
    )
    if (arrivesIntact(address)) leaveOutPayloadHash(client)
    return client
  }
  const found = open({})
  const [region, signs] = await Promise.all([regionOf(found), hasCredentials(found)])
  if (region !== undefined && signs) return { client: found, signs }
  found.destroy()
  return { client: open({ region: region ?? DEFAULT_REGION, ...(signs ? {} : UNSIGNED) }), signs }
}

// Public buckets are read without a signature.
const UNSIGNED: S3ClientConfig = {
  signer: { sign: async (request) => request },
  credentials: { accessKeyId: '', secretAccessKey: '' },
}

/** True if TLS protects what is sent, or if it stays on this machine. */
function arrivesIntact({ endpoint }: S3Address): boolean {
  if (endpoint === undefined) return true
  const { protocol, hostname } = new URL(endpoint)
  return protocol === 'https:' || isLoopback(hostname)
}

/** Signatures then do not cover the bytes that are uploaded. To hash them takes as long as to read them. */
function leaveOutPayloadHash(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (sent) => {
      const headers = typeof sent.request === 'object' && sent.request && Reflect.get(sent.request, 'headers')
      if (headers) Reflect.set(headers, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD')
      return next(sent)
    },
    { step: 'build' },
  )
}

function settingsOf({ endpoint, region, pathStyle }: S3Address): S3ClientConfig {
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    forcePathStyle: pathStyle,
    // Only the endpoints of AWS tell the region of a bucket.
    followRegionRedirects: endpoint === undefined,
    // The caller tries again.
    maxAttempts: 1,
    // Checksums in trailers are unknown to older servers. Whoever reads an object checks its digest.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it, the SDK waits six seconds for servers that do not know it, and opens a connection for each request.
    expectContinueHeader: false,
  }
}

async function regionOf(client: S3Client): Promise<string | undefined> {
  try {
    return await client.config.region()
  } catch {
    return undefined
  }
}

async function hasCredentials(client: S3Client): Promise<boolean> {
  const late = new RemoteError('unreachable', `No AWS credentials arrived within ${CREDENTIALS_WITHIN_MS / 1000} s.`)
  const find = (signal: AbortSignal) => untilAborted(signal, client.config.credentials())
  try {
    await withTimeLimit(CREDENTIALS_WITHIN_MS, undefined, () => late, find)
    return true
  } catch (error) {
    if (error === late) throw late
    return false
  }
}

/** Signatures hold the time. A test may have set the clock of `Date`. */
export function signWithRealTime(client: S3Client): void {
  const faked = originals.now() - Date.now()
  if (Math.abs(faked) > 1000) client.config.systemClockOffset = faked
}

const NO_VERSION_WARNING = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'

/** On Node.js 20, the first client of a process prints five lines about later versions of the SDK. They are not for a test run. */
function withoutVersionWarning<Value>(make: () => Value): Value {
  const given = process.env[NO_VERSION_WARNING]
  process.env[NO_VERSION_WARNING] = 'true'
  try {
    return make()
  } finally {
    if (given === undefined) delete process.env[NO_VERSION_WARNING]
    else process.env[NO_VERSION_WARNING] = given
  }
}
