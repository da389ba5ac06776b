import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

export interface Tunnel {
  /** For HTTP_PROXY. */
  url: string
  /** The hosts that were asked for. */
  hosts: string[]
  close(): void
}

/** A proxy as companies have one. All hosts lead to the server at `target`. */
export async function startTunnel(target: string): Promise<Tunnel> {
  const hosts: string[] = []
  const proxy = createServer((_asked, answer) => answer.writeHead(500).end())
  proxy.on('connect', ({ url = '' }, socket) => {
    hosts.push(url)
    const behind = connect(Number(new URL(target).port), '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
    socket.on('error', () => behind.destroy()).pipe(behind)
    behind.on('error', () => socket.destroy()).pipe(socket)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { port } = proxy.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, hosts, close: () => void proxy.close() }
}
