import { formatDuration } from '../../config/units.ts'

/** A mark of an axis: its value and its label. */
export interface Tick {
  at: number
  label: string
}

const MOST_TICKS = 6
const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000]
/** Distances between ticks that give round labels: from a tenth of a millisecond to a day. */
const DISTANCES = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 5, 10, 24].map((hours) => hours * HOUR),
]

/** At most six ticks from zero up to a duration in milliseconds. All labels are different. */
export function durationTicks(max: number): Tick[] {
  const found = DISTANCES.find((distance) => distance * (MOST_TICKS - 1) >= max)
  const distance = found ?? Math.ceil(max / HOUR / (MOST_TICKS - 1)) * HOUR
  const zero = distance < SECOND ? '0 ms' : distance < MINUTE ? '0 s' : distance < HOUR ? '0 m' : '0 h'
  return Array.from({ length: Math.floor(max / distance) + 1 }, (_, index) => {
    const at = index * distance
    // `2 m 00 s` is a round number of minutes.
    return { at, label: index === 0 ? zero : formatDuration(at).replace(/ 00 [sm]$/, '') }
  })
}

/**
 * A short label for each date, in UTC: the day, or also the time if two dates are of one day. All labels are different.
 */
export function dateLabels(dates: readonly string[]): string[] {
  const iso = dates.map((date) => new Date(date).toISOString())
  const format = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' })
  const days = iso.map((date) => format.format(new Date(date)))
  const isOneDay = new Set(iso.map((date) => date.slice(0, 10))).size === 1
  const short = isOneDay ? iso.map((date) => date.slice(11, 16)) : days
  const long = iso.map((date, index) => (isOneDay ? date.slice(11, 19) : `${days[index]} ${date.slice(11, 16)}`))
  return new Set(short).size === short.length ? short : numbered(long)
}

/** Adds a number to the second and each later label with the same text. */
function numbered(labels: string[]): string[] {
  const counts = new Map<string, number>()
  return labels.map((label) => {
    const count = (counts.get(label) ?? 0) + 1
    counts.set(label, count)
    return count === 1 ? label : `${label} (${count})`
  })
}
