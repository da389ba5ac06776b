import type { Environment } from '../../config/environment-variables.ts'
import { isLoopback } from '../../model/endpoint.ts'
import { messageOf } from '../../model/errors.ts'
import { chunksOf } from '../../net/body.ts'
import { isNetworkError, rootMessage } from '../../net/connection-error.ts'
import type { Answer, UploadingFetch } from '../../net/fetch.ts'
import { RemoteError } from '../store.ts'
import { bazelPath } from './bazel-path.ts'
import { findAuthorization } from './credentials.ts'

const MOST_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
// The answers to other requests have no body that is needed.
const READING = ['GET', 'PROPFIND']

export interface Outgoing {
  method: string
  /** The key of an object, or a folder with a slash at its end. Empty: the store itself. */
  path: string
  headers?: Record<string, string>
  /** Its length has to be in the headers. It may be read several times. */
  body?: string | AsyncIterable<Uint8Array>
  signal: AbortSignal
}

export interface Received {
  answer: Answer
  /** True if the answer is from another origin than the store's, or came by way of one. */
  isForeign: boolean
}

/** Sends requests to one store. */
export class Requests {
  /** The address of the store without a slash at the end, for messages. */
  readonly name: string
  /** True after the server took only the names of bazel-remote. */
  isBazel = false
  readonly #authorization: string | undefined
  #fetch: Promise<UploadingFetch> | undefined

  constructor(
    readonly base: URL,
    readonly env: Environment,
  ) {
    this.name = `${base.origin}${base.pathname}`.replace(/\/+$/, '')
    this.#authorization = findAuthorization(base, this.name, env)
  }

  /**
   * Sends a request, and follows redirects. The credentials are sent to the store's own origin, and no more after a redirect
   * to another origin. Only the body of a successful GET or PROPFIND is left to read. Throws `RemoteError` if there is no answer,
   * and the reason of the signal.
   */
  async send(outgoing: Outgoing): Promise<Received> {
    if (this.isBazel) return this.#follow(outgoing, bazelPath(outgoing.path))
    const received = await this.#follow(outgoing, outgoing.path)
    // Only a read shows which names a server takes: an upload may be refused for another reason.
    if (received.answer.status !== 400 || !isRead(outgoing)) return received
    const again = await this.#follow(outgoing, bazelPath(outgoing.path))
    if (again.answer.status === 400) return received
    this.isBazel = true
    return again
  }

  async #follow(outgoing: Outgoing, path: string): Promise<Received> {
    const { method } = outgoing
    let url = new URL(`${this.name}/${path}`)
    let isForeign = false
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#ask(url, outgoing, isForeign)
      const { status, ok } = answer
      if (!ok || !READING.includes(method)) await discard(answer)
      const location = REDIRECTS.has(status) ? answer.headers.get('Location') : null
      if (location === null) return { answer, isForeign }
      if (redirects === MOST_REDIRECTS)
        throw new RemoteError('failed', `${this.name} redirects more than ${MOST_REDIRECTS} times`)
      const next = this.#redirected(url, location)
      isForeign ||= next.origin !== url.origin
      if (!isRead(outgoing) && (isForeign || status < 307))
        throw new RemoteError('misused', `${this.name} redirects ${method} to ${next.origin} (HTTP ${status})`)
      url = next
    }
  }

  async #ask(url: URL, { method, headers, body, signal }: Outgoing, isForeign: boolean): Promise<Answer> {
    const authorization = isForeign ? undefined : this.#authorization
    this.#fetch ??= this.#findFetch()
    const fetch = await this.#fetch
    try {
      return await fetch(url, {
        method,
        headers: {
          // A compressed answer has other sizes and ranges than the object.
          'Accept-Encoding': 'identity',
          'User-Agent': 'vitest-model-cache',
          ...headers,
          ...(authorization && { Authorization: authorization }),
        },
        body,
        redirect: 'manual',
        signal,
      })
    } catch (error) {
      throw this.#broken(error, signal)
    }
  }

  /** The body of an answer. Throws as `send` does. */
  async *bytesOf({ body }: Answer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* chunksOf(body, signal)
    } catch (error) {
      throw this.#broken(error, signal)
    }
  }

  #broken(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    if (!isNetworkError(error)) return error
    // See `findUploadingFetch`.
    if (rootMessage(error) === 'unexpected redirect')
      return new RemoteError('misused', `${this.name} redirects uploads. Set the address to which it redirects`)
    return new RemoteError('unreachable', `${this.name} can't be reached: ${rootMessage(error)}`, { cause: error })
  }

  #redirected(from: URL, location: string): URL {
    // Header values are decoded as latin1; the address is UTF-8.
    const text = Buffer.from(location, 'latin1').toString()
    const next = URL.canParse(text, from.href) ? new URL(text, from.href) : undefined
    const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && from.protocol === 'http:')
    if (!next || !isSafe) throw new RemoteError('failed', `${this.name} redirects to an address that is not https`)
    next.username = ''
    next.password = ''
    return next
  }

  async #findFetch(): Promise<UploadingFetch> {
    const { findUploadingFetch } = await import('../../net/find-fetch.ts')
    // A proxy is another machine, which has no way to a server of this one.
    const direct = { http_proxy: '', HTTP_PROXY: '', https_proxy: '', HTTPS_PROXY: '' }
    try {
      return await findUploadingFetch(isLoopback(this.base.hostname) ? { ...this.env, ...direct } : this.env)
    } catch (cause) {
      throw new RemoteError('misused', messageOf(cause), { cause })
    }
  }
}

function isRead({ method }: Outgoing): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Ends a body that nobody reads. */
export async function discard(answer: Answer): Promise<void> {
  await answer.body?.cancel().catch(() => undefined)
}
