import { BrokenDownloadError } from '../model/broken-download.ts'
import type { HubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import { type HubAccess, hubFetch } from './http.ts'

/** Where the bytes of a download go. */
export interface Sink {
  /** Takes the chunk over: it must not be changed afterwards. */
  write(chunk: Uint8Array): Promise<void>
}

export interface DownloadRequest {
  repo: RepoId
  commit: Commit
  path: HubPath
  /** Bytes, as the tree states. */
  size: number
  signal?: AbortSignal
  onBytes?: (bytes: number) => void
}

/**
 * Streams one file into the sink, once. Throws `BrokenDownloadError` when the body is not as long as the Hub stated,
 * and whatever fetch throws; digests are the sink's business.
 */
export async function download(hub: HubAccess, request: DownloadRequest, sink: Sink): Promise<void> {
  const response = await hubFetch(hub, request.signal)(resolveUrl(hub.endpoint, request))
  let received = 0
  if (response.body) {
    for await (const chunk of response.body) {
      received += chunk.byteLength
      if (received > request.size) break
      await sink.write(chunk)
      request.onBytes?.(chunk.byteLength)
    }
  }
  if (received !== request.size)
    throw new BrokenDownloadError(
      `${request.path} came with ${received > request.size ? 'more than ' : ''}${Math.min(received, request.size)} bytes, the Hub stated ${request.size}`,
    )
}

/** `<endpoint>/<repo>/resolve/<commit>/<path>`, each part of the path encoded. */
function resolveUrl(endpoint: string, { repo, commit, path }: DownloadRequest): string {
  return `${endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}
