import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/**
 * Keeps a port on which nobody listens: connections to it are refused, and no other program gets it for port 0. A client socket has the
 * port, and is connected to a server that does nothing. Returns a function that ends this. One may listen on the port before it is called.
 */
export async function keepPort(port: number): Promise<() => void> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: remote } = server.address() as AddressInfo
  const client = connect({ host: '127.0.0.1', port: remote, localAddress: '127.0.0.1', localPort: port })
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
  for (const each of [server, client, accepted]) each.unref()
  return () => {
    client.destroy()
    accepted.destroy()
    server.close()
  }
}
