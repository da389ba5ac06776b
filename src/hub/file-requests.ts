import { BrokenDownloadError, SizeMismatchError } from '../model/broken-download.ts'
import type { Span } from '../model/spans.ts'
import { chunksOf } from '../net/body.ts'
import type { Answer } from '../net/fetch.ts'
import type { DownloadRequest, Opened, PartSource, Sink, TransferRequest } from './download-request.ts'
import { type HubAccess, HubHttpError, hubFetch } from './http.ts'

/** Requests parts of one file. */
export class FileRequests implements PartSource {
  /** The address to which the Hub redirected the first request. Further requests go there directly. */
  #redirectedTo = ''

  constructor(
    readonly hub: HubAccess,
    readonly request: DownloadRequest,
    readonly sink: Sink,
  ) {}

  /**
   * The first request of an attempt; no other may be running. If the server sends the whole file, or if its content has
   * changed, the sink is restarted, and the returned span is the whole file.
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

  /**
   * A further request, for exactly that part of the same content. Throws `BrokenDownloadError` when the server sends
   * something else.
   */
  async next(span: Span, signal: AbortSignal): Promise<Opened> {
    try {
      const response = await this.#get(span, signal)
      if (isPart(response, span, this.request.size)) return { body: chunksOf(response.body, signal), span }
      await response.body?.cancel()
    } catch (error) {
      // The signature in a redirected address expires. The next attempt asks the Hub for a new address.
      const isRefused = error instanceof HubHttpError && error.status < 500 && error.status !== 429
      if (!isRefused || this.#redirectedTo === '') throw error
    }
    throw new BrokenDownloadError(`${this.request.path}: the server did not send the requested part of the file`)
  }

  async #get({ start, end }: Span, signal: AbortSignal): Promise<Answer> {
    const { etag } = this.sink
    const headers = {
      Range: `bytes=${start}-${end === this.request.size ? '' : end - 1}`,
      ...(isStrong(etag) && { 'If-Range': etag }),
    }
    return hubFetch(this.hub, signal)(this.#redirectedTo || this.#url, { headers })
  }

  /** Restarts the sink for a whole body. Throws `BrokenDownloadError` when the Content-Length differs from the stated size. */
  async #begin(response: Answer): Promise<void> {
    const { path, size } = this.request
    const length = response.headers.get('Content-Length')
    if (response.status === 200 && length !== null && !response.headers.has('Content-Encoding')) {
      if (Number(length) !== size) {
        await response.body?.cancel()
        throw new SizeMismatchError(
          `The server sends ${length} bytes for ${path}, but the Hub stated ${size}`,
          `${length} bytes`,
        )
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

/** Restarts the sink, and subtracts its discarded bytes from the reported progress. */
export async function forget({ onBytes }: TransferRequest, sink: Sink, etag?: string): Promise<void> {
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
 * True when the ETag can be used in `If-Range`. A weak ETag does not promise the same bytes, so it is not allowed there
 * (RFC 9110, 13.1.5). An ETag from a damaged note on disk may hold characters for which fetch would refuse the request.
 */
function isStrong(etag: string | undefined): etag is string {
  return etag !== undefined && !etag.startsWith('W/') && /^[\x20-\x7e\x80-\xff]+$/.test(etag)
}
