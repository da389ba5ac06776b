import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Answers a request in place of the server. `object`: the one that was asked for, if there is one. */
export type Answer = (asked: IncomingMessage, answer: ServerResponse, object: Buffer | undefined) => unknown

interface Asked {
  method: string
  path: string
  headers: IncomingMessage['headers']
}

/** A server of objects in memory, by PUT, GET with Range, HEAD and DELETE. It knows no conditions, and is at fault on request. */
export class FaultyServer {
  /** By path, such as `/models/blobs/sha256/ab/abcd`. */
  readonly objects = new Map<string, Buffer>()
  readonly requests: Asked[] = []
  /** The faults by method. `*`: of all methods that have none. */
  readonly faults = new Map<string, Answer>()

  private constructor(
    readonly server: Server,
    readonly url: string,
  ) {}

  static async start(onFinished: (close: () => Promise<void>) => void): Promise<FaultyServer> {
    const server = createServer((asked, answer) => void faulty.#answer(asked, answer))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const faulty = new FaultyServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onFinished(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })
    return faulty
  }

  get methods(): string[] {
    return this.requests.map(({ method }) => method)
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = asked
    this.requests.push({ method, path, headers })
    const fault = this.faults.get(method) ?? this.faults.get('*')
    const object = this.objects.get(path)
    if (fault) return void fault(asked, answer, object)
    if (method === 'PUT') await this.take(asked, answer)
    else if (method === 'DELETE') answer.writeHead(this.objects.delete(path) ? 204 : 404).end()
    else if (method !== 'GET' && method !== 'HEAD') answer.writeHead(405).end()
    else if (!object) answer.writeHead(404, { 'Content-Length': 0 }).end()
    else sendObject(asked, answer, object)
  }

  /** Takes an upload. */
  async take(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    try {
      const bytes = Buffer.concat(await asked.toArray())
      this.objects.set(asked.url ?? '', bytes)
      answer.writeHead(201).end()
    } catch {
      // The upload was interrupted.
    }
  }
}

function sendObject({ method, headers }: IncomingMessage, answer: ServerResponse, object: Buffer): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  const start = Number(first ?? 0)
  const end = Math.min(last ? Number(last) + 1 : object.length, object.length)
  if (first !== undefined && start >= object.length)
    return void answer.writeHead(416, { 'Content-Range': `bytes */${object.length}` }).end()
  const part = first === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${object.length}` }
  answer.writeHead(first === undefined ? 200 : 206, { 'Content-Length': end - start, ...part })
  answer.end(method === 'HEAD' ? undefined : object.subarray(start, end))
}

/** Sends these bytes as the whole object, whatever was asked for. */
export function sendWhole(bytes: Buffer | string, headers: Record<string, string> = {}): Answer {
  return (_asked, answer) =>
    answer.writeHead(200, { 'Content-Length': Buffer.byteLength(bytes), ...headers }).end(bytes)
}

export function sendStatus(status: number, headers: Record<string, string> = {}): Answer {
  return (asked, answer) => {
    asked.resume()
    answer.writeHead(status, headers).end()
  }
}

/** Faults that a restore may meet, by name. Each is about GET. */
export const FAULTS: Record<string, Answer> = {
  ...Object.fromEntries(
    [401, 403, 404, 409, 412, 416, 429, 500, 503].map((status) => [`HTTP ${status}`, sendStatus(status)]),
  ),
  'HTTP 429 with a long Retry-After': sendStatus(429, { 'Retry-After': '3600' }),
  'an HTML page': sendWhole('<!doctype html><title>Log in</title>', { 'Content-Type': 'text/html; charset=utf-8' }),
  'flipped bytes': (asked, answer, object) => {
    const flipped = Buffer.from(object ?? '')
    flipped[0] = (flipped[0] ?? 0) ^ 1
    sendObject(asked, answer, flipped)
  },
  'a short object': (asked, answer, object = Buffer.alloc(0)) =>
    sendObject(asked, answer, object.subarray(0, object.length - 1)),
  'another object': (asked, answer) => sendObject(asked, answer, Buffer.from('another object, of nobody')),
  'an empty object': (asked, answer) => sendObject(asked, answer, Buffer.alloc(0)),
  'a body that is cut in the middle': (_asked, answer, object = Buffer.alloc(2)) => {
    answer.writeHead(200, { 'Content-Length': object.length })
    answer.write(object.subarray(0, object.length >> 1), () => answer.destroy())
  },
  'a connection that breaks before the answer': (asked) => asked.socket.destroy(),
  'no answer': () => undefined,
  'a body that hangs': (_asked, answer, object = Buffer.alloc(2)) => {
    answer.writeHead(200, { 'Content-Length': object.length })
    answer.write(object.subarray(0, object.length >> 1))
  },
  'an endless body': (_asked, answer) => {
    answer.writeHead(200)
    const send = () => {
      while (answer.writable && answer.write(Buffer.alloc(65_536)));
    }
    answer.on('drain', send)
    send()
  },
  'a wrong Content-Range': (_asked, answer, object = Buffer.alloc(2)) =>
    answer.writeHead(206, { 'Content-Range': `bytes 7-8/${object.length}` }).end('xy'),
  'compressed bytes': sendWhole('not really', { 'Content-Encoding': 'gzip' }),
  'a redirect to itself': (asked, answer) => answer.writeHead(302, { Location: asked.url }).end(),
  'a redirect to a file': (_asked, answer) => answer.writeHead(302, { Location: 'file:///etc/passwd' }).end(),
}
