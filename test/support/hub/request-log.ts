export type Origin = 'hub' | 'cdn'

/** `other`: CORS preflights, and requests that belong to no endpoint of the Hub. */
export type RequestKind = 'api' | 'resolve' | 'raw' | 'cdn' | 'other'

/** One request, logged at its arrival; `status` and `bytesSent` are set during the response. */
export interface LoggedRequest {
  /** The time of arrival, in milliseconds since the epoch. */
  time: number
  /** The end of the response or of the connection, in milliseconds since the epoch. */
  endTime?: number
  origin: Origin
  kind: RequestKind
  method: string
  /** The path as it was sent: percent-encoded, without the query. */
  path: string
  /** The query with its question mark; empty when there is none. */
  query: string
  range?: string
  /** 0 until the response starts. */
  status: number
  /** The number of body bytes that were written to the socket. */
  bytesSent: number
  userAgent: string
  /** True if the request had an Authorization header. */
  authorization: boolean
  /** The requested repo: the old name if the repo was renamed. */
  repo?: string
  revision?: string
  /** Path inside the repo, decoded. */
  file?: string
  /** The fault that was applied to this request. */
  fault?: string
  /** An internal error of this server. */
  failure?: unknown
}

/** All given fields must match. A string `path` or `file` must be equal; a RegExp must match a part of it. */
export interface RequestPattern {
  method?: string
  path?: string | RegExp
  origin?: Origin
  kind?: RequestKind
  repo?: string
  file?: string | RegExp
}

export type RequestMatcher = RequestPattern | ((request: LoggedRequest) => boolean)

export function matchesRequest(matcher: RequestMatcher, request: LoggedRequest): boolean {
  if (typeof matcher === 'function') return matcher(request)
  const { method, path, origin, kind, repo, file } = matcher
  return (
    matchesText(method, request.method) &&
    matchesText(path, request.path) &&
    matchesText(origin, request.origin) &&
    matchesText(kind, request.kind) &&
    matchesText(repo, request.repo) &&
    matchesText(file, request.file)
  )
}

/** Logs all requests in the order of arrival, and lets tests wait for one. */
export class RequestLog {
  requests: LoggedRequest[] = []
  private underWay = 0
  private waiting: { matcher: RequestMatcher; resolve: (request: LoggedRequest) => void }[] = []
  private waitingForIdle: (() => void)[] = []

  started(request: LoggedRequest): void {
    this.requests.push(request)
    this.underWay++
    const met = this.waiting.filter(({ matcher }) => matchesRequest(matcher, request))
    this.waiting = this.waiting.filter((waiter) => !met.includes(waiter))
    for (const { resolve } of met) resolve(request)
  }

  ended(request: LoggedRequest): void {
    request.endTime = Date.now()
    this.underWay--
    if (this.underWay > 0) return
    for (const resolve of this.waitingForIdle.splice(0)) resolve()
  }

  /** The first request in the log that matches, or else the next one that arrives. */
  waitFor(matcher: RequestMatcher): Promise<LoggedRequest> {
    const seen = this.requests.find((request) => matchesRequest(matcher, request))
    if (seen) return Promise.resolve(seen)
    return new Promise((resolve) => this.waiting.push({ matcher, resolve }))
  }

  /** Settles when no request is in progress. */
  idle(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve()
    return new Promise((resolve) => this.waitingForIdle.push(resolve))
  }

  bytesSent(matcher: RequestMatcher): number {
    return this.requests
      .filter((request) => matchesRequest(matcher, request))
      .reduce((sum, { bytesSent }) => sum + bytesSent, 0)
  }
}

function matchesText(wanted: string | RegExp | undefined, given: string | undefined): boolean {
  if (wanted === undefined) return true
  if (given === undefined) return false
  // Not `test`: a RegExp with the g flag remembers its last position.
  return typeof wanted === 'string' ? wanted === given : given.search(wanted) >= 0
}
