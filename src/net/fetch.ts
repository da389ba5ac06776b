/** The part of the `fetch` interface that requests to the Hub and to remote stores use. Node.js's fetch implements it. */
export type Fetch = (input: string | URL, init?: FetchInit) => Promise<Answer>

export interface FetchInit {
  method?: string
  headers?: Record<string, string>
  body?: string | ReadableStream<Uint8Array>
  /** Node.js's fetch demands it for a stream. */
  duplex?: 'half'
  /** `manual`: a redirect is returned as an answer. `error`: it is a failure. Default: `follow`. */
  redirect?: 'follow' | 'manual' | 'error'
  /** Always null. */
  window?: null
  signal?: AbortSignal
}

/** A `Fetch` that also sends bytes from an iterable. The headers must state their `Content-Length`. */
export type UploadingFetch = (input: string | URL, init?: UploadInit) => Promise<Answer>

export interface UploadInit extends Omit<FetchInit, 'body' | 'duplex' | 'window'> {
  body?: string | AsyncIterable<Uint8Array>
}

/** The part of the `Response` interface that requests to the Hub and to remote stores use. */
export interface Answer {
  readonly ok: boolean
  readonly status: number
  /** The address of the response after all redirects. */
  readonly url: string
  readonly headers: AnswerHeaders
  readonly body: Body | null
}

export interface AnswerHeaders {
  get(name: string): string | null
  has(name: string): boolean
}

/** The part of the `ReadableStream` interface that requests to the Hub and to remote stores use. */
export interface Body {
  getReader(): BodyReader
  /** Stops the transfer, and closes the connection. */
  cancel(reason?: unknown): Promise<void>
}

export interface BodyReader {
  read(): Promise<{ done?: boolean; value?: Uint8Array }>
  cancel(reason?: unknown): Promise<void>
}
