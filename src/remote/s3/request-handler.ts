import { Readable } from 'node:stream'
import { formatSize } from '../../config/units.ts'
import { chunksOf } from '../../net/body.ts'
import type { Answer, UploadingFetch } from '../../net/fetch.ts'
import { originals } from '../../platform/originals.ts'
import { RemoteError } from '../store.ts'

/** A request of the SDK. Its path is encoded. */
interface SdkRequest {
  protocol: string
  hostname: string
  port?: number
  method: string
  path: string
  query?: Record<string, string | string[] | null>
  headers: Record<string, string>
  body?: unknown
}

interface SdkAnswer {
  response: { statusCode: number; headers: Record<string, string>; body: Readable }
}

// What the SDK reads of an answer to our requests.
const HEADERS = [
  ...['age', 'content-length', 'content-range', 'content-type', 'date', 'etag', 'last-modified', 'location'],
  ...['retry-after', 'x-amz-bucket-region', 'x-amz-id-2', 'x-amz-request-id', 'x-amzn-requestid'],
]

/**
 * Sends the requests of the SDK as those to the Hub are sent: through the proxy of the environment, and past what a suite has mocked.
 * `fetch` is found with the first request.
 */
export function requestHandler(findFetch: () => Promise<UploadingFetch>) {
  let fetch: Promise<UploadingFetch> | undefined
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(asked: SdkRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}): Promise<SdkAnswer> {
      fetch ??= findFetch()
      const signal = abortSignal ?? NEVER
      const { host, ...headers } = asked.headers
      const answer = await (await fetch)(addressOf(asked), {
        method: asked.method,
        // A compressed answer has other sizes and ranges than the object.
        headers: { ...headers, 'Accept-Encoding': 'identity' },
        body: bodyOf(asked.body),
        redirect: 'manual',
        signal,
      })
      const isObject = answer.ok && asked.query?.['x-id'] === 'GetObject'
      const body = streamOf(answer, signal, isObject ? Number.POSITIVE_INFINITY : LARGEST_ANSWER_BYTES)
      return { response: { statusCode: answer.status, headers: headersOf(answer), body } }
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  }
}

// The SDK reads errors and lists into memory. A page of a list has 1000 keys.
const LARGEST_ANSWER_BYTES = 4 << 20

const NEVER = new originals.AbortController().signal

function addressOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, values]) => {
    const texts = Array.isArray(values) ? values : [values]
    return texts.map((text) => (text === null ? encoded(name) : `${encoded(name)}=${encoded(text)}`))
  })
  const address = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`
  return pairs.length === 0 ? address : `${address}?${pairs.join('&')}`
}

/** As the signature has it. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function bodyOf(body: unknown): string | AsyncIterable<Uint8Array> | undefined {
  if (body === undefined || typeof body === 'string') return body
  if (body instanceof Uint8Array) return inChunks(body)
  throw new TypeError('The SDK sends a body of another kind than bytes or text')
}

// Between two chunks the process can do other work.
const CHUNK_BYTES = 1 << 20

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES)
}

function headersOf({ headers }: Answer): Record<string, string> {
  const entries = HEADERS.flatMap((name) => {
    const value = headers.get(name)
    return value === null ? [] : [[name, value]]
  })
  return Object.fromEntries(entries)
}

function streamOf({ body }: Answer, signal: AbortSignal, most: number): Readable {
  return Readable.from(atMost(chunksOf(body, signal), most), { objectMode: false, highWaterMark: 1 << 18 })
}

async function* atMost(chunks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let left = most
  for await (const chunk of chunks) {
    left -= chunk.byteLength
    if (left < 0) throw new RemoteError('failed', `The server sent an answer of more than ${formatSize(most)}`)
    yield chunk
  }
}
