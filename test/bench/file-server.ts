import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A plain server of the files of a folder: GET with Range, HEAD and PUT. */
export async function serveFolder(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((asked, answer) => {
    const path = join(folder, decodeURIComponent(asked.url ?? ''))
    const done = asked.method === 'PUT' ? take(asked, answer, path) : send(asked, answer, path)
    done.catch(() => answer.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function take(asked: IncomingMessage, answer: ServerResponse, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.new`
  await pipeline(asked, createWriteStream(temporary))
  await rename(temporary, path)
  answer.writeHead(201).end()
}

async function send({ method, headers }: IncomingMessage, answer: ServerResponse, path: string): Promise<void> {
  const size = await stat(path).then(
    (stats) => (stats.isFile() ? stats.size : undefined),
    () => undefined,
  )
  if (size === undefined) return void answer.writeHead(404, { 'Content-Length': 0 }).end()
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  const [start, end] = [Number(first ?? 0), Math.min(size, last ? Number(last) + 1 : size)]
  const range = first === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }
  answer.writeHead(first === undefined ? 200 : 206, { 'Content-Length': end - start, ...range })
  if (method === 'HEAD' || start >= end) return void answer.end()
  await pipeline(createReadStream(path, { start, end: end - 1, highWaterMark: 1 << 20 }), answer)
}
