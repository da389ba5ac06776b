import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { download } from '../../src/hub/download.ts'
import type { Sink } from '../../src/hub/download-request.ts'
import { explainHubError } from '../../src/hub/explain-error.ts'
import { type HubAccess, HubHttpError } from '../../src/hub/http.ts'
import { withRetry } from '../../src/hub/retry.ts'
import { BrokenDownloadError } from '../../src/model/broken-download.ts'
import { parseHubPath } from '../../src/model/hub-path.ts'
import { parseRepoId } from '../../src/model/repo-id.ts'
import { parseCommit } from '../../src/model/revision.ts'
import { type AnswerFault, type BodyFault, type Hub, type Repository, startHub } from '../support/hub/index.ts'

const TOKEN = 'hf_of_a_member'
const WEIGHTS = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) % 251))
const FILES = {
  'config.json': '{ "model_type": "bert" }',
  'onnx/model.onnx': WEIGHTS,
  'a folder/ü #1?.bin': 'odd',
  empty: '',
}

let hub: Hub
let repository: Repository

beforeEach(async () => {
  hub = await startHub({ token: TOKEN })
  repository = hub.addRepo('org/name', { files: FILES })
  onTestFinished(() => hub.close())
})

function access(parts: Partial<HubAccess> = {}): HubAccess {
  return { endpoint: hub.url, fetch, ...parts }
}

interface Request {
  repo?: string
  size?: number
  token?: string
  signal?: AbortSignal
  onBytes?: (bytes: number) => void
}

/** Downloads a file with one attempt, and returns the received bytes. */
async function once(path: string, { repo = 'org/name', size, token, signal, onBytes }: Request = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const stated = Buffer.from(Object.entries(FILES).find(([name]) => name === path)?.[1] ?? '')
  const bytes = size ?? stated.length
  const sink = {
    get received() {
      return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
    },
    gaps() {
      return [{ start: this.received, end: bytes }]
    },
    async write(chunk: Uint8Array) {
      chunks.push(chunk)
    },
    async restart() {
      chunks.length = 0
    },
  }
  const request = {
    repo: parseRepoId(repo),
    commit: parseCommit(repository.commit, 'a test'),
    path: parseHubPath(path, 'a test'),
    size: bytes,
    ...{ signal, onBytes },
  }
  await download(access({ token }), request, sink)
  return Buffer.concat(chunks)
}

/** A sink whose `write` fails. */
function refusing(error: Error): Sink {
  return {
    received: 0,
    gaps: () => [{ start: 0, end: FILES['config.json'].length }],
    write: () => Promise.reject(error),
    restart: async () => undefined,
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The number of requests for the file at the Hub; the redirected request at the CDN does not count. */
function requestsFor(file: string): number {
  return hub.requests.filter((request) => request.origin === 'hub' && request.file === file).length
}

describe('a download', () => {
  test.each(Object.entries(FILES))('gives the bytes of %s', async (path, content) => {
    expect(digest(await once(path))).toBe(digest(Buffer.from(content)))
    // An empty file needs no request.
    expect(requestsFor(path)).toBe(content.length === 0 ? 0 : 1)
  })

  test('reports each received byte', async () => {
    let bytes = 0
    await once('onnx/model.onnx', {
      onBytes: (more) => {
        bytes += more
      },
    })
    expect(bytes).toBe(WEIGHTS.byteLength)
  })

  test('that is shorter than the stated size is refused', async () => {
    const short = once('onnx/model.onnx', { size: WEIGHTS.byteLength + 1 })
    await expect(short).rejects.toThrow(BrokenDownloadError)
    await expect(short).rejects.toThrow(/200000 bytes for onnx\/model\.onnx, but the Hub stated 200001/)
  })

  test('that is longer than the stated size is refused without waiting for the rest', async () => {
    hub.fault({ origin: 'cdn' }, { stallAfter: 150_000 })
    const long = once('onnx/model.onnx', { size: 1000 })
    await expect(long).rejects.toThrow(BrokenDownloadError)
    await expect(long).rejects.toThrow(/200000 bytes for onnx\/model\.onnx, but the Hub stated 1000/)
  })

  test('is refused when the body is a web page', async () => {
    hub.fault({}, { html: true })
    await expect(once('onnx/model.onnx')).rejects.toThrow(BrokenDownloadError)
  })

  test('ends when its signal aborts', async () => {
    const controller = new AbortController()
    hub.fault({ origin: 'cdn' }, { stallAfter: 1000 })
    const stalled = once('onnx/model.onnx', { signal: controller.signal })
    await hub.waitForRequest({ origin: 'cdn' })
    controller.abort()
    await expect(stalled).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('fails with the error of the sink when the sink fails', async () => {
    const sink = refusing(new Error('the disk is full'))
    const file = { path: parseHubPath('onnx/model.onnx', 'a test'), size: WEIGHTS.byteLength }
    const commit = parseCommit(repository.commit, 'a test')
    const failing = download(access(), { repo: parseRepoId('org/name'), commit, ...file }, sink)
    await expect(failing).rejects.toThrow('the disk is full')
  })
})

describe('a token', () => {
  test('opens a private repo, and is not sent to the CDN', async () => {
    const secret = hub.addRepo('org/secret', { files: FILES, private: true })
    repository = secret
    expect(digest(await once('onnx/model.onnx', { repo: 'org/secret', token: TOKEN }))).toBe(digest(WEIGHTS))
    const sent = hub.requests.map(({ origin, authorization }) => [origin, authorization])
    expect(sent).toEqual([
      ['hub', true],
      ['cdn', false],
    ])
  })

  test('is not needed for a public repo', async () => {
    await once('config.json')
    expect(hub.requests.map(({ authorization }) => authorization)).toEqual([false])
  })
})

describe('a failure that may pass', () => {
  test.each<[string, AnswerFault | BodyFault]>([
    ['HTTP 429', { status: 429, retryAfter: 0 }],
    ['HTTP 429 with the header of the Hub', { status: 429, headers: { ratelimit: '"resolvers";r=0;t=0' } }],
    ['HTTP 503', { status: 503, retryAfter: 0 }],
    ['HTTP 500 without a Retry-After', { status: 500 }],
    ['HTTP 408', { status: 408, retryAfter: 0 }],
    ['a connection that is reset in the body', { reset: 1000 }],
    ['a body that ends before its Content-Length', { truncate: 1000 }],
    ['a body that ends early without a Content-Length', { truncate: 1000, contentLength: false }],
    ['a short body with a matching Content-Length', { shortBody: 1000 }],
    ['a socket that closes before the response', 'refused'],
    ['a web page', { html: true }],
  ])('leads to another attempt: %s', async (_, fault) => {
    hub.fault({ file: 'onnx/model.onnx' }, fault, { times: 1 })
    const waits: number[] = []
    const bytes = await withRetry(() => once('onnx/model.onnx'), { onRetry: (_error, waitMs) => waits.push(waitMs) })
    expect(digest(bytes)).toBe(digest(WEIGHTS))
    expect(waits).toHaveLength(1)
    expect(waits[0]).toBeLessThanOrEqual(300)
    expect(requestsFor('onnx/model.onnx')).toBe(2)
  })

  test('is thrown after five attempts', async () => {
    let attempts = 0
    const failing = withRetry(async () => {
      attempts++
      throw new HubHttpError({ status: 429, url: `${hub.url}/${attempts}`, retryAfterMs: 0 })
    })
    await expect(failing).rejects.toMatchObject({ status: 429, url: `${hub.url}/5` })
    expect(attempts).toBe(5)
  })

  test('leads to another attempt after the time that the server asks for', async () => {
    const controller = new AbortController()
    const waits: number[] = []
    const waiting = withRetry(
      () => Promise.reject(new HubHttpError({ status: 429, url: hub.url, retryAfterMs: 55_000 })),
      {
        signal: controller.signal,
        onRetry: (_error, waitMs) => {
          waits.push(waitMs)
          controller.abort(new Error('seen enough'))
        },
      },
    )
    await expect(waiting).rejects.toThrow('seen enough')
    expect(waits).toEqual([55_000])
  })
})

describe('a failure that does not pass', () => {
  test.each([400, 401, 403, 404, 410, 416])('is thrown at once: HTTP %i', async (status) => {
    hub.fault({}, { status })
    await expect(withRetry(() => once('config.json'))).rejects.toMatchObject({ status })
    expect(requestsFor('config.json')).toBe(1)
  })

  test.each(['ENOSPC', 'EACCES'])('is thrown at once: %s of the disk', async (code) => {
    const full = Object.assign(new Error('the disk says no'), { code })
    const path = parseHubPath('config.json', 'a test')
    const file = { path, size: Buffer.byteLength(FILES['config.json']) }
    const where = { repo: parseRepoId('org/name'), commit: parseCommit(repository.commit, 'a test') }
    const sink = refusing(full)
    await expect(withRetry(() => download(access(), { ...where, ...file }, sink))).rejects.toBe(full)
    expect(explainHubError(full, { asked: 'File x', repo: 'org/name' }, access())).toBe(full)
    expect(requestsFor('config.json')).toBe(1)
  })

  test('is thrown at once: a file that does not exist', async () => {
    const missing = withRetry(() => once('missing.json', { size: 10 })).catch((error) =>
      explainHubError(error, { asked: 'File x', repo: 'org/name' }, access()),
    )
    expect(await missing).toMatchObject({ code: 'FILE_NOT_FOUND', asked: 'File x' })
    expect(hub.requests).toHaveLength(1)
  })

  test('is thrown at once: a repo whose terms were not accepted', async () => {
    repository = hub.addRepo('org/gated', { files: FILES, gated: 'auto' })
    const refused = withRetry(() => once('config.json', { repo: 'org/gated' }))
    const error = await refused.catch((cause) =>
      explainHubError(cause, { asked: 'Model org/gated', repo: 'org/gated' }, access()),
    )
    expect(error).toMatchObject({ code: 'GATED', nextStep: expect.stringContaining(hub.url) })
    expect(hub.requests).toHaveLength(1)
  })
})
