import { type LoggedRequest, matchesRequest, type RequestMatcher } from './request-log.ts'

/** Waits before the answer, which is otherwise as it would be. */
export interface DelayFault {
  delayMs: number
}

/** Takes the place of the answer. `'refused'` closes the socket before a byte of it. */
export type AnswerFault =
  | 'refused'
  | { status: number; retryAfter?: string | number; headers?: Record<string, string>; body?: string }
  /** 200 with a web page, as a captive portal or a proxy answers. */
  | { html: true }

/**
 * Spoils the body of a successful GET or POST; never a redirect, an error or a HEAD. Counts are in bytes of this
 * response's body, but `flipByte` is an offset in the file. A fault that cannot be felt (a `truncate: 1000` against the one
 * byte of a `bytes=0-0` probe) neither applies nor uses up one of its `times`.
 */
export type BodyFault =
  /** Ends early: below the Content-Length that was promised (the default), or chunked and ended as if all was well. */
  | { truncate: number; contentLength?: boolean }
  /** Ends early under a Content-Length that agrees. */
  | { shortBody: number }
  /** One byte of the file has all its bits inverted. */
  | { flipByte: number }
  /** Says nothing more, and keeps the connection. */
  | { stallAfter: number }
  | { bytesPerSecond: number }
  /** The connection is reset (RST). */
  | { reset: number }

export type Fault = DelayFault | AnswerFault | BodyFault

export interface FaultOptions {
  /** How many requests meet the fault; without it, all. */
  times?: number
}

/** The part of a file that a response is about to send, `end` not included. */
export interface Span {
  start: number
  end: number
}

/**
 * The faults in force, oldest first. A request meets at most one delay and one other fault, so faults that were
 * installed in a row with `times: 1` are met one after the other.
 */
export class Faults {
  private installed: { matcher: RequestMatcher; fault: Fault; left: number }[] = []

  /** Gives back what takes the fault out again. */
  install(matcher: RequestMatcher, fault: Fault, { times = Number.POSITIVE_INFINITY }: FaultOptions = {}): () => void {
    const entry = { matcher, fault, left: times }
    this.installed.push(entry)
    return () => {
      this.installed = this.installed.filter((other) => other !== entry)
    }
  }

  takeDelay(request: LoggedRequest): number {
    return this.take(request, (fault) => (isDelay(fault) ? fault : undefined))?.delayMs ?? 0
  }

  takeAnswer(request: LoggedRequest): AnswerFault | undefined {
    return this.take(request, (fault) => (isAnswer(fault) ? fault : undefined))
  }

  takeBody(request: LoggedRequest, span: Span): BodyFault | undefined {
    return this.take(request, (fault) =>
      isDelay(fault) || isAnswer(fault) || !isFelt(fault, span) ? undefined : fault,
    )
  }

  private take<F extends Fault>(request: LoggedRequest, select: (fault: Fault) => F | undefined): F | undefined {
    for (const entry of this.installed) {
      const fault = entry.left > 0 ? select(entry.fault) : undefined
      if (fault === undefined || !matchesRequest(entry.matcher, request)) continue
      entry.left--
      request.fault = [request.fault, JSON.stringify(fault)].filter(Boolean).join(' ')
      return fault
    }
    return undefined
  }
}

function isDelay(fault: Fault): fault is DelayFault {
  return typeof fault === 'object' && 'delayMs' in fault
}

function isAnswer(fault: Fault): fault is AnswerFault {
  return fault === 'refused' || 'status' in fault || 'html' in fault
}

function isFelt(fault: BodyFault, { start, end }: Span): boolean {
  const length = end - start
  if ('flipByte' in fault) return start <= fault.flipByte && fault.flipByte < end
  if ('bytesPerSecond' in fault) return length > 0
  if ('truncate' in fault) return fault.truncate < length
  if ('shortBody' in fault) return fault.shortBody < length
  return ('stallAfter' in fault ? fault.stallAfter : fault.reset) < length
}
