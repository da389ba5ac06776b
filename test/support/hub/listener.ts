import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'

/** An HTTP server on a port of its own, which it keeps when it goes away for a while. */
export class Listener {
  readonly url: string
  private readonly server: Server
  private readonly port: number

  private constructor(server: Server, port: number, hostName: string) {
    this.server = server
    this.port = port
    this.url = `http://${hostName}:${port}`
  }

  /** `hostName` is what `url` calls the loopback interface. */
  static async start(answer: RequestListener, hostName: string): Promise<Listener> {
    const server = createServer({ keepAliveTimeout: keepAliveMs }, answer)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('The server has no port')
    return new Listener(server, address.port, hostName)
  }

  /** Drops every connection; new ones are refused. */
  async stop(): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }

  async resume(): Promise<void> {
    if (this.server.listening) return
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
  }
}

// Node's default of 5 s lets a client reuse a connection in the very moment it is closed, and fail for no reason.
const keepAliveMs = 10 * 60_000
