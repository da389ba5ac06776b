import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from 'fauxqs'
import S3rver from 's3rver'
import { removeFolder } from '../remove-folder.ts'
import type { Backend } from './backend.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { openAt } from './open-at.ts'

/** The bucket that each server has. */
export const BUCKET = 'models'

/** What the SDK reads: the credentials that s3rver knows, and nothing of this machine. */
export const S3_ENV = {
  AWS_ACCESS_KEY_ID: 'S3RVER',
  AWS_SECRET_ACCESS_KEY: 'S3RVER',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
}

export interface S3Server {
  url: string
  close(): Promise<void>
}

/** Keeps its objects in a folder. It checks signatures, and ignores conditions of an upload. */
export async function startS3rver(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 's3rver '))
  const buckets = [{ name: BUCKET, configs: [] }]
  const s3rver = new S3rver({ directory, silent: true, vhostBuckets: false, configureBuckets: buckets })
  await s3rver.configureBuckets()
  const server = createServer(s3rver.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await removeFolder(directory)
    },
  }
}

/** Keeps its objects in memory. It checks no signatures, and ignores conditions of an upload. */
export async function startFauxqs(): Promise<S3Server> {
  const app = buildApp({ logger: false })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await fetch(`${url}/${BUCKET}`, { method: 'PUT' })
  return { url, close: () => app.close() }
}

function s3Backend(name: string, startServer: () => Promise<S3Server>, options = {}): Backend {
  return {
    name,
    async start() {
      const server = await startServer()
      const proxy = await FaultyProxy.start(server.url, options)
      return {
        addressOf: (store) => s3Address(proxy.url, store),
        open: (store) => openAt(s3Address(proxy.url, store)),
        env: S3_ENV,
        proxy,
        async close() {
          await proxy.close()
          await server.close()
        },
      }
    },
  }
}

export function s3Address(endpoint: string, prefix: string, options: Record<string, string> = {}): URL {
  return new URL(`s3://${BUCKET}/${prefix}?${new URLSearchParams({ endpoint, ...options })}`)
}

export const s3Backends = [s3Backend('s3rver', startS3rver, { writesInPlace: true }), s3Backend('fauxqs', startFauxqs)]
