export type Origin = 'hub' | 'cdn'

/** `other` is what belongs to no endpoint of the Hub, and CORS preflights. */
export type RequestKind = 'api' | 'resolve' | 'raw' | 'cdn' | 'other'

/** One request, from its arrival on; `status` and `bytesSent` are filled in while it is answered. */
export interface LoggedRequest {
  /** Arrival, in milliseconds since the epoch. */
  time: number
  /** When the response was over or the connection was gone, in milliseconds since the epoch. */
  endTime?: number
  origin: Origin
  kind: RequestKind
  method: string
  /** As sent: still percent-encoded, without the query. */
  path: string
  /** With its question mark; empty when there is none. */
  query: string
  range?: string
  /** 0 until the response starts, and for ever when it never does. */
  status: number
  /** Bytes of body handed to the socket. */
  bytesSent: number
  userAgent: string
  /** Whether an Authorization header came along. */
  authorization: boolean
  /** As asked for: the old name when the repo was renamed. */
  repo?: string
  revision?: string
  /** Path inside the repo, decoded. */
  file?: string
  /** The fault that this request met. */
  fault?: string
  /** What went wrong inside the stand-in itself. */
  failure?: unknown
}

/** All that is given must match. A string `path` or `file` must be equal, a RegExp must be found in it. */
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

/** Every request in the order of arrival, and a way to wait for one. */
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

  /** The first request in the log that matches, or else the next to come. */
  waitFor(matcher: RequestMatcher): Promise<LoggedRequest> {
    const seen = this.requests.find((request) => matchesRequest(matcher, request))
    if (seen) return Promise.resolve(seen)
    return new Promise((resolve) => this.waiting.push({ matcher, resolve }))
  }

  /** Settles when no request is under way. */
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
  // `search` and not `test`: a RegExp with the g flag would remember where it stopped.
  return typeof wanted === 'string' ? wanted === given : given.search(wanted) >= 0
}
