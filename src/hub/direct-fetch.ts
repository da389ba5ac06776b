import type { ClientRequest, IncomingMessage } from 'node:http'
import { systemCode } from '../model/errors.ts'
import { originals } from '../platform/originals.ts'
import { ConnectionError } from './connection-error.ts'
import { DirectBody, discard } from './direct-body.ts'
import { clientOf } from './direct-client.ts'
import type { Answer, Fetch } from './fetch.ts'

// As many as fetch follows (WHATWG fetch, 4.4).
const MOST_REDIRECTS = 20
const REDIRECTS = new Set([301, 302, 303, 307, 308])
// As undici has it.
const CONNECT_WITHIN_MS = 10_000

/** A request as it goes out, changed by what redirects ask for. */
interface Outgoing {
  url: URL
  method: string
  headers: Record<string, string>
  body?: string
}

/**
 * What fetch does for the Hub, over node:http and node:https: a first request takes a tenth of the time, and a body half
 * of the processor's (`npm run bench -- cold-download`). Follows redirects, and sends no token beyond the origin. Throws
 * `ConnectionError` for what goes wrong below HTTP, and the signal's reason.
 */
export const directFetch: Fetch = async (input, init = {}) => {
  const { method = 'GET', headers = {}, body, signal } = init
  let outgoing: Outgoing = { url: new URL(input), method, headers: { ...accepted(headers), ...headers }, body }
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const message = await send(outgoing, signal)
    const next = redirected(outgoing, message)
    if (!next) return answerOf(outgoing.url, message, signal)
    discard(message)
    outgoing = next
  }
  throw new ConnectionError(new Error(`more than ${MOST_REDIRECTS} redirects`))
}

/** Part of a compressed file is of no use. */
function accepted(headers: Record<string, string>): Record<string, string> {
  return { Accept: '*/*', 'Accept-Encoding': 'Range' in headers ? 'identity' : 'gzip, br' }
}

async function send(
  { url, method, headers, body }: Outgoing,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  if (!/^https?:$/.test(url.protocol))
    throw new ConnectionError(new Error('what was to be asked is no address of HTTP'))
  const { request, agent } = await clientOf(url)
  for (;;) {
    signal?.throwIfAborted()
    const sent = request(url, { method, headers, agent })
    try {
      return await headOf(sent, body, signal)
    } catch (error) {
      signal?.throwIfAborted()
      // The server may close a connection that was kept while the request is on its way.
      const isLate = sent.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(systemCode(error) ?? '')
      if (!isLate || body !== undefined) throw new ConnectionError(error)
    }
  }
}

/** Sends the request; resolves when the head of the answer is there. */
function headOf(
  sent: ClientRequest,
  body: string | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const timedOut = () => sent.destroy(new Error(`no connection to ${sent.host} within ${CONNECT_WITHIN_MS / 1000} s`))
  const timer = originals.setTimeout(timedOut, CONNECT_WITHIN_MS)
  const isConnected = () => originals.clearTimeout(timer)
  const onAbort = () => void sent.destroy()
  signal?.addEventListener('abort', onAbort, { once: true })
  const head = new Promise<IncomingMessage>((resolve, reject) => {
    // With TLS there is no connection before both sides have agreed: a filter may let in no more than the first of it.
    const connected = sent.protocol === 'https:' ? 'secureConnect' : 'connect'
    sent.once('socket', (socket) => (sent.reusedSocket ? isConnected() : socket.once(connected, isConnected)))
    sent.once('response', (message) => {
      // Whoever reads the body is told; when nobody does, nothing is to crash.
      message.on('error', () => undefined)
      resolve(message)
    })
    sent.on('error', reject)
    sent.once('close', () => reject(new Error('closed without an answer')))
    sent.end(body)
  })
  return head.finally(() => {
    isConnected()
    signal?.removeEventListener('abort', onAbort)
  })
}

/** The request that a redirect asks for; undefined for any other answer. */
function redirected({ url, method, headers, body }: Outgoing, message: IncomingMessage): Outgoing | undefined {
  const { statusCode = 0, headers: answered } = message
  if (!REDIRECTS.has(statusCode) || answered.location === undefined) return undefined
  // Header values come byte by byte.
  const location = Buffer.from(answered.location, 'latin1').toString()
  const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined
  if (!next || !/^https?:$/.test(next.protocol)) {
    message.destroy()
    throw new ConnectionError(new Error('a redirect to what is no address of HTTP'))
  }
  const isRead = method === 'GET' || method === 'HEAD'
  const becomesGet = statusCode === 303 ? !isRead : statusCode < 303 && method === 'POST'
  const kept = Object.entries(headers).filter(([name]) => {
    if (next.origin !== url.origin && /^(authorization|cookie)$/i.test(name)) return false
    return !becomesGet || !/^content-/i.test(name)
  })
  return {
    url: next,
    headers: Object.fromEntries(kept),
    ...(becomesGet ? { method: 'GET' } : { method, body }),
  }
}

function answerOf(url: URL, message: IncomingMessage, signal: AbortSignal | undefined): Answer {
  const { statusCode: status = 0, headers } = message
  return {
    ok: status >= 200 && status < 300,
    status,
    url: url.href,
    headers: {
      get: (name) => headers[name.toLowerCase()]?.toString() ?? null,
      has: (name) => headers[name.toLowerCase()] !== undefined,
    },
    body: new DirectBody(message, signal),
  }
}
