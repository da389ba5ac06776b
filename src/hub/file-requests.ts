import { BrokenDownloadError } from '../model/broken-download.ts'
import type { Span } from '../model/spans.ts'
import { chunksOf } from './body.ts'
import type { DownloadRequest, Sink } from './download-request.ts'
import type { Answer } from './fetch.ts'
import { type HubAccess, HubHttpError, hubFetch } from './http.ts'

/** An answer whose body holds this part of the file. */
export interface Opened {
  body: AsyncIterable<Uint8Array>
  span: Span
}

/** Asks for parts of one file. */
export class FileRequests {
  /** Where the Hub sent the first request on to: the others need not ask it again. */
  #redirectedTo = ''

  constructor(
    readonly hub: HubAccess,
    readonly request: DownloadRequest,
    readonly sink: Sink,
  ) {}

  /**
   * The first request of an attempt, while no other is under way. A server that sends the whole file, or that has
   * another content by now, makes the sink begin again: then what is opened is all of it.
   */
  async first(span: Span, signal: AbortSignal): Promise<Opened> {
    const { sink, request } = this
    const isWhole = sink.received === 0 && span.end === request.size
    if (!isWhole) {
      try {
        const response = await this.#get(span, signal)
        if (isPart(response, span, request.size)) {
          this.#redirectedTo = response.url
          if (sink.received === 0) await sink.restart(etagOf(response))
          return { body: chunksOf(response.body, signal), span }
        }
        await this.#begin(response)
        if (response.status === 200)
          return { body: chunksOf(response.body, signal), span: { start: 0, end: request.size } }
        await response.body?.cancel()
      } catch (error) {
        if (!(error instanceof HubHttpError) || error.status !== 416) throw error
        await forget(request, sink)
      }
    }
    const response = await hubFetch(this.hub, signal)(this.#url)
    await this.#begin(response)
    return { body: chunksOf(response.body, signal), span: { start: 0, end: request.size } }
  }

  /** A further request: exactly that part of the same content. Throws `BrokenDownloadError` when the server gives another. */
  async next(span: Span, signal: AbortSignal): Promise<Opened> {
    try {
      const response = await this.#get(span, signal)
      if (isPart(response, span, this.request.size)) return { body: chunksOf(response.body, signal), span }
      await response.body?.cancel()
    } catch (error) {
      // Where the Hub had sent us on to is signed for a while only: the next attempt asks the Hub again.
      const isRefused = error instanceof HubHttpError && error.status < 500 && error.status !== 429
      if (!isRefused || this.#redirectedTo === '') throw error
    }
    throw new BrokenDownloadError(`${this.request.path}: the server did not give the part that was asked for`)
  }

  async #get({ start, end }: Span, signal: AbortSignal): Promise<Answer> {
    const { etag } = this.sink
    const headers = {
      Range: `bytes=${start}-${end === this.request.size ? '' : end - 1}`,
      ...(isStrong(etag) && { 'If-Range': etag }),
    }
    return hubFetch(this.hub, signal)(this.#redirectedTo || this.#url, { headers })
  }

  /** Makes the sink ready for a whole body, unless its length says already that it is not the file. */
  async #begin(response: Answer): Promise<void> {
    const { path, size } = this.request
    const length = response.headers.get('Content-Length')
    if (response.status === 200 && length !== null && !response.headers.has('Content-Encoding')) {
      if (Number(length) !== size) {
        await response.body?.cancel()
        throw new BrokenDownloadError(`${path} came with ${length} bytes, the Hub stated ${size}`)
      }
    }
    try {
      await forget(this.request, this.sink, etagOf(response))
    } catch (error) {
      await response.body?.cancel()
      throw error
    }
  }

  /** `<endpoint>/<repo>/resolve/<commit>/<path>`, each part of the path encoded. */
  get #url(): string {
    const { repo, commit, path } = this.request
    return `${this.hub.endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
  }
}

/** Has the sink begin again, and takes back what was said of its bytes. */
export async function forget({ onBytes }: DownloadRequest, sink: Sink, etag?: string): Promise<void> {
  if (sink.received > 0) onBytes?.(-sink.received)
  await sink.restart(etag)
}

function isPart(response: Answer, { start, end }: Span, size: number): boolean {
  return response.status === 206 && response.headers.get('Content-Range') === `bytes ${start}-${end - 1}/${size}`
}

function etagOf(response: Answer): string | undefined {
  return response.headers.get('ETag') ?? undefined
}

/**
 * A weak ETag says "means the same", not "the same bytes": it is no condition for a range (RFC 9110, 13.1.5). What a
 * damaged note has in its place, no header can hold: fetch would refuse the request.
 */
function isStrong(etag: string | undefined): etag is string {
  return etag !== undefined && !etag.startsWith('W/') && /^[\x20-\x7e\x80-\xff]+$/.test(etag)
}
