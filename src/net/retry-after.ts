import { originals } from '../platform/originals.ts'
import type { AnswerHeaders } from './fetch.ts'

/**
 * The wait that the server asks for, in milliseconds: `Retry-After` in seconds or as a date, else the `t` of the Hub's
 * `ratelimit` header (`"api";r=0;t=55`), else undefined.
 */
export function retryAfterMs(headers: Pick<AnswerHeaders, 'get'>): number | undefined {
  const retryAfter = headers.get('Retry-After')
  if (retryAfter !== null) {
    if (/^\d+(\.\d+)?$/.test(retryAfter.trim())) return Number(retryAfter) * 1000
    const date = Date.parse(retryAfter)
    if (!Number.isNaN(date)) return untilDate(date, headers)
  }
  const seconds = /;\s*r=0\s*;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

/** Uses the server's clock (its `Date` header) if it is stated: ours may differ. A date in the past is ignored. */
function untilDate(date: number, headers: Pick<AnswerHeaders, 'get'>): number | undefined {
  const theirs = Date.parse(headers.get('Date') ?? '')
  const ms = date - (Number.isNaN(theirs) ? originals.now() : theirs)
  return ms > 0 ? ms : undefined
}

const UNITS: [string, number][] = [
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
]

/** `in 10 minutes`; `later` for less than a second, more than a day, or undefined. */
export function inWords(ms: number | undefined): string {
  if (ms === undefined || ms < 1000 || ms > 24 * 3_600_000) return 'later'
  const [name, unitMs] = UNITS.find(([, unitMs]) => ms > 1.5 * unitMs) ?? ['second', 1000]
  const count = Math.ceil(ms / unitMs)
  return `in ${count} ${name}${count === 1 ? '' : 's'}`
}
