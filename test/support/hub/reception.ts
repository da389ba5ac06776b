import type { IncomingMessage, ServerResponse } from 'node:http'
import { answer, corsHeaders } from './answer.ts'
import { Exchange } from './exchange.ts'
import { Faults } from './faults.ts'
import { type LoggedRequest, type Origin, RequestLog } from './request-log.ts'
import { answerCdnRequest, answerHubRequest, classifyCdnRequest, classifyHubRequest, type HubState } from './routes.ts'
import { Throttle } from './throttle.ts'

/** Receives the requests of both origins: logs each, then responds. */
export class Reception {
  readonly log = new RequestLog()
  readonly faults = new Faults()
  readonly throttle = new Throttle()
  private readonly state: HubState
  private received = 0

  constructor(state: HubState) {
    this.state = state
  }

  receive(origin: Origin, request: IncomingMessage, response: ServerResponse): void {
    const requestId = `Root=1-00000000-${String(++this.received).padStart(24, '0')}`
    for (const [name, value] of Object.entries(corsHeaders)) response.setHeader(name, value)
    response.setHeader('X-Request-Id', requestId)
    const exchange = new Exchange(request, response, describeRequest(origin, request), this)
    const target = origin === 'hub' ? classifyHubRequest(this.state, exchange) : classifyCdnRequest(exchange)
    this.log.started(exchange.log)
    exchange.signal.addEventListener('abort', () => this.log.ended(exchange.log))
    void answer(exchange, this, () =>
      target ? answerHubRequest(this.state, exchange, target) : answerCdnRequest(this.state, exchange),
    )
  }
}

function describeRequest(origin: Origin, { url = '', method = '', headers }: IncomingMessage): LoggedRequest {
  const queryStart = url.includes('?') ? url.indexOf('?') : url.length
  return {
    time: Date.now(),
    origin,
    kind: origin === 'cdn' ? 'cdn' : 'other',
    method,
    path: url.slice(0, queryStart),
    query: url.slice(queryStart),
    range: headers.range,
    status: 0,
    bytesSent: 0,
    userAgent: headers['user-agent'] ?? '',
    authorization: headers.authorization !== undefined,
  }
}
