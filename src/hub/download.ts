import { BrokenDownloadError } from '../model/broken-download.ts'
import type { HubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import { type HubAccess, HubHttpError, hubFetch } from './http.ts'
import { StallWatch } from './stall-watch.ts'

/** Where the bytes of a download go. */
export interface Sink {
  /** Bytes that are there already, from an earlier attempt. */
  readonly received: number
  /** How the server knew the content that those bytes are of. */
  readonly etag?: string
  /** Takes the chunk over: it must not be changed afterwards. */
  write(chunk: Uint8Array): Promise<void>
  /** Forgets all that came; what comes now has this ETag. */
  restart(etag?: string): Promise<void>
}

export interface DownloadRequest {
  repo: RepoId
  commit: Commit
  path: HubPath
  /** Bytes, as the tree states. */
  size: number
  signal?: AbortSignal
  /** Bytes as they come; negative when what came is thrown away. */
  onBytes?: (bytes: number) => void
  /** Milliseconds without enough progress after which the connection counts as broken. Default 30 s. */
  stallMs?: number
}

/**
 * Streams one file into the sink, going on where it stands. Throws `BrokenDownloadError` when the body is not as long as
 * the Hub stated, stalls or trickles, and whatever fetch throws; digests are the sink's business.
 */
export async function download(hub: HubAccess, request: DownloadRequest, sink: Sink): Promise<void> {
  if (sink.received === request.size) return
  const watch = new StallWatch(request)
  try {
    const response = await openAt(hub, request, sink, watch.signal)
    await receive(response, request, sink, watch)
  } catch (error) {
    throw watch.stalled ?? error
  } finally {
    watch.stop()
  }
  if (sink.received !== request.size)
    throw new BrokenDownloadError(`${request.path} came with ${sink.received} bytes, the Hub stated ${request.size}`)
}

/** Asks for what is missing; a server that sends all of it, or another content, has the sink begin again. */
async function openAt(hub: HubAccess, request: DownloadRequest, sink: Sink, signal: AbortSignal): Promise<Response> {
  const url = resolveUrl(hub.endpoint, request)
  const get = hubFetch(hub, signal)
  if (sink.received > 0) {
    const headers = { Range: `bytes=${sink.received}-`, ...(isStrong(sink.etag) && { 'If-Range': sink.etag }) }
    try {
      const response = await get(url, { headers })
      const range = `bytes ${sink.received}-${request.size - 1}/${request.size}`
      if (response.status === 206 && response.headers.get('Content-Range') === range) return response
      await begin(response, request, sink)
      if (response.status === 200) return response
      await response.body?.cancel()
    } catch (error) {
      if (!(error instanceof HubHttpError) || error.status !== 416) throw error
      await forget(request, sink)
    }
  }
  const response = await get(url)
  await begin(response, request, sink)
  return response
}

/** Makes the sink ready for a whole body, unless its length says already that it is not the file. */
async function begin(response: Response, request: DownloadRequest, sink: Sink): Promise<void> {
  const length = response.headers.get('Content-Length')
  if (response.status === 200 && length !== null && !response.headers.has('Content-Encoding')) {
    if (Number(length) !== request.size) {
      await response.body?.cancel()
      throw new BrokenDownloadError(`${request.path} came with ${length} bytes, the Hub stated ${request.size}`)
    }
  }
  await forget(request, sink, response.headers.get('ETag') ?? undefined)
}

async function forget(request: DownloadRequest, sink: Sink, etag?: string): Promise<void> {
  if (sink.received > 0) request.onBytes?.(-sink.received)
  await sink.restart(etag)
}

async function receive(response: Response, request: DownloadRequest, sink: Sink, watch: StallWatch): Promise<void> {
  if (!response.body) return
  for await (const chunk of response.body) {
    watch.saw(chunk.byteLength)
    if (sink.received + chunk.byteLength > request.size) {
      await forget(request, sink)
      throw new BrokenDownloadError(`${request.path} came with more than ${request.size} bytes, as the Hub stated`)
    }
    await sink.write(chunk)
    request.onBytes?.(chunk.byteLength)
  }
}

/** A weak ETag says "means the same", not "the same bytes": it is no condition for a range (RFC 9110, 13.1.5). */
function isStrong(etag: string | undefined): etag is string {
  return etag !== undefined && !etag.startsWith('W/')
}

/** `<endpoint>/<repo>/resolve/<commit>/<path>`, each part of the path encoded. */
function resolveUrl(endpoint: string, { repo, commit, path }: DownloadRequest): string {
  return `${endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}
