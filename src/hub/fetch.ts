/** The part of `fetch` that asking the Hub takes: that of Node.js is one. */
export type Fetch = (input: string | URL, init?: FetchInit) => Promise<Answer>

export interface FetchInit {
  method?: string
  headers?: Record<string, string>
  body?: string
  signal?: AbortSignal
}

/** The part of a `Response` that is read of the Hub's answers. */
export interface Answer {
  readonly ok: boolean
  readonly status: number
  /** Where the answer came from in the end. */
  readonly url: string
  readonly headers: AnswerHeaders
  readonly body: Body | null
}

export interface AnswerHeaders {
  get(name: string): string | null
  has(name: string): boolean
}

/** The part of a `ReadableStream` that is read of a body. */
export interface Body {
  getReader(): BodyReader
  /** Gives up what has not come yet, and with it the connection. */
  cancel(reason?: unknown): Promise<void>
}

export interface BodyReader {
  read(): Promise<{ done?: boolean; value?: Uint8Array }>
  cancel(reason?: unknown): Promise<void>
}
