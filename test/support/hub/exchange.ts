import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http'
import { bytesContent, type Content } from './content.ts'
import type { Faults, Span } from './faults.ts'
import type { LoggedRequest } from './request-log.ts'
import type { Throttle } from './throttle.ts'
import { planTransfer, transfer } from './transfer.ts'

/** A request and its response. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly log: LoggedRequest
  readonly query: URLSearchParams
  /** Aborts when the response has ended, or the connection was closed by either side. */
  readonly signal: AbortSignal
  private readonly faults: Faults
  private readonly throttle: Throttle

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    log: LoggedRequest,
    hub: { faults: Faults; throttle: Throttle },
  ) {
    const gone = new AbortController()
    const { socket } = request
    const end = () => {
      socket.off('close', end)
      gone.abort()
    }
    response.once('close', end)
    // A response that waits behind another one on the same connection emits no `close` when the connection is closed.
    socket.once('close', end)
    this.request = request
    this.response = response
    this.log = log
    this.query = new URLSearchParams(log.query)
    this.signal = gone.signal
    this.faults = hub.faults
    this.throttle = hub.throttle
  }

  /** Sends a part of a file; a fault may change it. */
  async sendFile(status: number, headers: OutgoingHttpHeaders, content: Content, span: Span): Promise<void> {
    const head = this.request.method === 'HEAD'
    const fault = head ? undefined : this.faults.takeBody(this.log, span)
    const plan = planTransfer(span, fault)
    this.writeHead(status, {
      ...headers,
      ...(plan.contentLength === undefined ? {} : { 'Content-Length': plan.contentLength }),
    })
    if (head) {
      this.response.end()
      return
    }
    const { socket } = this.request
    await transfer(this, content, plan, this.throttle.pacerFor(socket, plan.bytesPerSecond))
  }

  async sendJson(value: unknown, headers: OutgoingHttpHeaders = {}): Promise<void> {
    const content = bytesContent(Buffer.from(JSON.stringify(value)))
    const span = { start: 0, end: content.size }
    await this.sendFile(200, { 'Content-Type': 'application/json; charset=utf-8', ...headers }, content, span)
  }

  /** Sends an error or a redirect. Body faults do not apply. */
  sendText(status: number, text: string, headers: OutgoingHttpHeaders = {}): void {
    const body = Buffer.from(text)
    this.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length, ...headers })
    if (this.request.method === 'HEAD') {
      this.response.end()
      return
    }
    this.log.bytesSent += body.length
    this.response.end(body)
  }

  redirect(status: 302 | 307, location: string, headers: OutgoingHttpHeaders = {}): void {
    this.sendText(status, `${STATUS_CODES[status]}. Redirecting to ${location}`, { Location: location, ...headers })
  }

  /** Sends a response without a body: 304, 416, or the response to a preflight. */
  sendEmpty(status: number, headers: OutgoingHttpHeaders): void {
    this.writeHead(status, status === 416 ? { ...headers, 'Content-Length': 0 } : headers)
    this.response.end()
  }

  private writeHead(status: number, headers: OutgoingHttpHeaders): void {
    this.log.status = status
    this.response.writeHead(status, headers)
  }
}
