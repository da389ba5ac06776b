import type { HubPath } from '../model/hub-path.ts'
import type { RepoId } from '../model/repo-id.ts'
import type { Commit } from '../model/revision.ts'
import type { Span } from '../model/spans.ts'

/** The destination of a download's bytes. */
export interface Sink {
  /** The number of bytes that were received, also in earlier attempts. */
  readonly received: number
  /** The ETag of the content to which those bytes belong. */
  readonly etag?: string
  /** The missing parts, in order. */
  gaps(): Span[]
  /** Takes a chunk whose first byte is byte `at` of the file. The caller must not change the chunk afterwards. */
  write(chunk: Uint8Array, at: number): Promise<void>
  /** Drops all bytes. The bytes that follow belong to the content with this ETag. */
  restart(etag?: string): Promise<void>
}

/** The limited set of connections that all downloads of a cache share. */
export interface Connections {
  /** Runs `lane` if a connection is free and no file waits for one. Otherwise returns undefined. */
  spare(lane: () => Promise<void>): Promise<void> | undefined
  /** True while a file waits for a connection. */
  readonly inDemand: boolean
}

/** The body of an answer, and the range of the file that it holds. */
export interface Opened {
  body: AsyncIterable<Uint8Array>
  span: Span
}

/** Opens parts of one file. */
export interface PartSource {
  /** The first part of an attempt; no other part may be open. The returned span may be another one, such as the whole file. */
  first(span: Span, signal: AbortSignal): Promise<Opened>
  /** Exactly this part of the same content. */
  next(span: Span, signal: AbortSignal): Promise<Opened>
}

/** One file to receive. */
export interface TransferRequest {
  path: HubPath
  /** Bytes, as the tree states them. */
  size: number
  signal?: AbortSignal
  /** Called with the number of bytes of each chunk; negative when received bytes are thrown away. */
  onBytes?: (bytes: number) => void
  /** Milliseconds without enough progress after which a connection counts as broken. Default 30,000. */
  stallMs?: number
  /** Allows more connections than one, for a large file. */
  connections?: Connections
}

/** One file of the Hub to download. */
export interface DownloadRequest extends TransferRequest {
  repo: RepoId
  commit: Commit
}
