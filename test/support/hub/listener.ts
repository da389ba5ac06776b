import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { keepPort } from './keep-port.ts'

/** An HTTP server that keeps its port when it is stopped and resumed. */
export class Listener {
  readonly url: string
  private readonly server: Server
  private readonly port: number
  private givePort: () => void = () => undefined

  private constructor(server: Server, port: number, hostName: string) {
    this.server = server
    this.port = port
    this.url = `http://${hostName}:${port}`
  }

  /** `hostName` is the name of the loopback interface in `url`. */
  static async start(answer: RequestListener, hostName: string): Promise<Listener> {
    const server = createServer({ keepAliveTimeout: keepAliveMs }, answer)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('The server has no port')
    return new Listener(server, address.port, hostName)
  }

  /** Closes all connections; new ones are refused. */
  async stop(): Promise<void> {
    if (!this.server.listening) return
    await this.closeServer()
    this.givePort = await keepPort(this.port)
  }

  /** Closes all connections, and gives the port to others. */
  async end(): Promise<void> {
    if (this.server.listening) await this.closeServer()
    this.givePort()
  }

  private async closeServer(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }

  async resume(): Promise<void> {
    if (this.server.listening) return
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    this.givePort()
  }
}

// With Node.js's default of 5 s, a client may reuse a connection at the moment at which the server closes it, and fail.
const keepAliveMs = 10 * 60_000
