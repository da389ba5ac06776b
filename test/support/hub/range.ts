import type { IncomingHttpHeaders } from 'node:http'
import type { Span } from './faults.ts'

/** The status of a response; `span` is the part of the file to send, if any. */
export type Selection = { status: 200 | 206; span: Span } | { status: 304 } | { status: 416 }

/** Evaluates the conditional and range headers (RFC 9110, sections 13 and 14) for a file of `size` bytes. */
export function selectRange(headers: IncomingHttpHeaders, etag: string, size: number): Selection {
  if (headers['if-none-match'] !== undefined && namesTag(headers['if-none-match'], etag)) return { status: 304 }
  const whole = { start: 0, end: size }
  const asked = ifRangeHolds(headers['if-range'], etag) ? parseRange(headers.range, size) : undefined
  if (asked === undefined) return { status: 200, span: whole }
  if (asked.start >= size || asked.start >= asked.end) return { status: 416 }
  return { status: 206, span: asked }
}

/** Undefined for several ranges, other units and invalid ranges: the whole file is then sent, as the RFC allows and S3 does. */
function parseRange(header: string | undefined, size: number): Span | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.replaceAll(' ', '') ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') return { start: Math.max(0, size - Number(last)), end: size }
  if (last !== '' && Number(last) < Number(first)) return undefined
  return { start: Number(first), end: last === '' ? size : Math.min(Number(last) + 1, size) }
}

/** If-Range needs a strong comparison: a weak tag or a date never matches. */
function ifRangeHolds(header: string | string[] | undefined, etag: string): boolean {
  return header === undefined || header === etag
}

function namesTag(header: string, etag: string): boolean {
  return header.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')))
}
