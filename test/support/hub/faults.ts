import { type LoggedRequest, matchesRequest, type RequestMatcher } from './request-log.ts'

/** Delays the response without changing it. */
export interface DelayFault {
  delayMs: number
}

/** Holds the response back until the promise is settled. */
export interface HoldFault {
  until: Promise<unknown>
}

/** Replaces the response. `'refused'` closes the socket before the first byte. */
export type AnswerFault =
  | 'refused'
  | { status: number; retryAfter?: string | number; headers?: Record<string, string>; body?: string }
  /** 200 with a web page, as from a captive portal or a proxy. */
  | { html: true }

/**
 * Damages the body of a successful GET or POST; never a redirect, an error or a HEAD. Numbers count bytes of the response's
 * body; only `flipByte` is an offset in the file. A fault without effect (such as `truncate: 1000` on the one byte of a
 * `bytes=0-0` probe) is not applied, and does not use up one of its `times`.
 */
export type BodyFault =
  /** Ends early: before the Content-Length (the default), or chunked and ended without an error. */
  | { truncate: number; contentLength?: boolean }
  /** Ends early, with a Content-Length that matches the short body. */
  | { shortBody: number }
  /** Inverts all bits of one byte of the file. */
  | { flipByte: number }
  /** Sends nothing more, but keeps the connection open. */
  | { stallAfter: number }
  | { bytesPerSecond: number }
  /** Resets the connection (RST). */
  | { reset: number }

export type Fault = DelayFault | HoldFault | AnswerFault | BodyFault

export interface FaultOptions {
  /** The number of requests that get the fault. Default: all. */
  times?: number
}

/** The part of a file that a response will send, without the byte at `end`. */
export interface Span {
  start: number
  end: number
}

/**
 * The installed faults, oldest first. A request gets at most one delay, one hold and one other fault. So several faults with `times: 1`
 * apply to one request each, in the order of their installation.
 */
export class Faults {
  private installed: { matcher: RequestMatcher; fault: Fault; left: number }[] = []

  /** Returns a function that removes the fault. */
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

  takeHold(request: LoggedRequest): Promise<unknown> | undefined {
    return this.take(request, (fault) => (isHold(fault) ? fault : undefined))?.until
  }

  takeAnswer(request: LoggedRequest): AnswerFault | undefined {
    return this.take(request, (fault) => (isAnswer(fault) ? fault : undefined))
  }

  takeBody(request: LoggedRequest, span: Span): BodyFault | undefined {
    return this.take(request, (fault) =>
      isDelay(fault) || isHold(fault) || isAnswer(fault) || !isFelt(fault, span) ? undefined : fault,
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

function isHold(fault: Fault): fault is HoldFault {
  return typeof fault === 'object' && 'until' in fault
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
