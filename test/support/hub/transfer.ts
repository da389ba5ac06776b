import type { ServerResponse } from 'node:http'
import { type Content, readContent } from './content.ts'
import type { Exchange } from './exchange.ts'
import type { BodyFault, Span } from './faults.ts'
import type { Pacer } from './throttle.ts'

/** How a body is sent: `span` is the part that is really sent, whatever the headers state. */
export interface TransferPlan {
  span: Span
  /** Undefined for a chunked body. */
  contentLength: number | undefined
  /** The action after the last byte. */
  ending: 'end' | 'close' | 'reset' | 'stall'
  flippedByte?: number
  bytesPerSecond?: number
}

export function planTransfer(span: Span, fault: BodyFault | undefined): TransferPlan {
  const contentLength = span.end - span.start
  const whole: TransferPlan = { span, contentLength, ending: 'end' }
  const first = (bytes: number): Span => ({ start: span.start, end: span.start + bytes })
  if (fault === undefined) return whole
  if ('flipByte' in fault) return { ...whole, flippedByte: fault.flipByte }
  if ('bytesPerSecond' in fault) return { ...whole, bytesPerSecond: fault.bytesPerSecond }
  if ('shortBody' in fault) return { span: first(fault.shortBody), contentLength: fault.shortBody, ending: 'end' }
  if ('stallAfter' in fault) return { span: first(fault.stallAfter), contentLength, ending: 'stall' }
  if ('reset' in fault) return { span: first(fault.reset), contentLength, ending: 'reset' }
  if (fault.contentLength === false) return { span: first(fault.truncate), contentLength: undefined, ending: 'end' }
  return { span: first(fault.truncate), contentLength, ending: 'close' }
}

/** Sends the body. Throws when the connection is lost or the file cannot be read. */
export async function transfer(
  { response, request, log, signal }: Exchange,
  content: Content,
  plan: TransferPlan,
  pacer: Pacer | undefined,
): Promise<void> {
  response.flushHeaders()
  let position = plan.span.start
  for await (const chunk of readContent(content, plan.span.start, plan.span.end)) {
    const sound = flipped(chunk, (plan.flippedByte ?? -1) - position)
    position += chunk.length
    for (const slice of pacer?.slices(sound) ?? [sound]) {
      await pacer?.turn(slice.length, signal)
      log.bytesSent += slice.length
      await write(response, slice, signal)
    }
  }
  if (plan.ending === 'end') response.end()
  // The body is shorter than its Content-Length. `destroySoon` sends the written bytes before it closes the connection.
  else if (plan.ending === 'close') request.socket.destroySoon()
  else if (plan.ending === 'reset') request.socket.resetAndDestroy()
}

function flipped(chunk: Uint8Array, at: number): Uint8Array {
  if (at < 0 || at >= chunk.length) return chunk
  const copy = Uint8Array.from(chunk)
  copy[at] = (copy[at] ?? 0) ^ 0xff
  return copy
}

/** Settles when the kernel has the bytes, so that they do not fill the memory, and a reset comes after them. */
function write(response: ServerResponse, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const lost = () => reject(signal.reason)
    signal.addEventListener('abort', lost, { once: true })
    response.write(bytes, (error) => {
      signal.removeEventListener('abort', lost)
      if (error) reject(error)
      else resolve()
    })
  })
}
