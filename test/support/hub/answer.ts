import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange } from './exchange.ts'
import type { AnswerFault, Faults } from './faults.ts'
import { HubError } from './hub-error.ts'
import type { Throttle } from './throttle.ts'

/** Responds to one request: applies latency and faults, then calls `route`. */
export async function answer(
  exchange: Exchange,
  { faults, throttle }: { faults: Faults; throttle: Throttle },
  route: () => Promise<void>,
): Promise<void> {
  try {
    const delayMs = (throttle.settings.latencyMs ?? 0) + faults.takeDelay(exchange.log)
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: exchange.signal })
    const hold = faults.takeHold(exchange.log)
    if (hold) await Promise.race([hold, once(exchange.signal, 'abort')])
    const fault = faults.takeAnswer(exchange.log)
    if (fault !== undefined) sendFault(exchange, fault)
    else if (exchange.request.method === 'OPTIONS') exchange.sendEmpty(204, preflightHeaders)
    else await route()
  } catch (error) {
    // The client closed the connection: there is nothing to send, and no failure to log.
    if (exchange.signal.aborted) return
    sendError(exchange, error)
  }
}

/** Headers that allow browsers, and environments that act like one, to load models from a page of another origin. */
export const corsHeaders = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers':
    'X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag',
}

const preflightHeaders = {
  'Access-Control-Allow-Methods': 'GET, HEAD, POST',
  'Access-Control-Allow-Headers': 'authorization, range, content-type, user-agent, if-range, if-none-match',
}

function sendFault(exchange: Exchange, fault: AnswerFault): void {
  if (fault === 'refused') {
    exchange.request.socket.destroy()
  } else if ('html' in fault) {
    exchange.sendText(200, '<!DOCTYPE html><html><body>Please sign in to the network.</body></html>', {
      'Content-Type': 'text/html; charset=utf-8',
    })
  } else {
    const retry = fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) }
    const body = fault.body ?? JSON.stringify({ error: `Status ${fault.status}, as the test asked for` })
    const type = fault.body === undefined ? { 'Content-Type': 'application/json; charset=utf-8' } : {}
    exchange.sendText(fault.status, body, { ...type, ...retry, ...fault.headers })
  }
}

/** Sends JSON for the API, as createApiError of @huggingface/hub expects, and plain text for the file endpoints. */
function sendError(exchange: Exchange, error: unknown): void {
  const known = error instanceof HubError || error instanceof URIError || error instanceof SyntaxError
  if (!known) exchange.log.failure = error
  if (exchange.response.headersSent) {
    exchange.request.socket.destroy()
    return
  }
  const message = error instanceof Error ? error.message : String(error)
  const status = error instanceof HubError ? error.status : known ? 400 : 500
  const headers = error instanceof HubError ? error.headers : {}
  if (exchange.log.kind !== 'api') exchange.sendText(status, message, headers)
  else {
    const body = JSON.stringify({ error: message })
    exchange.sendText(status, body, { ...headers, 'Content-Type': 'application/json; charset=utf-8' })
  }
}
