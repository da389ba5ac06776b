const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/**
 * Bytes from `2GB`, `512 MiB`, `1.5g` or a number. Units are powers of 1024 in each spelling: `2GB` and `2GiB` are both
 * 2 x 2^30. Undefined when the input is not a size.
 */
export function parseSize(input: string | number): number | undefined {
  if (typeof input === 'number') return Number.isFinite(input) && input >= 0 ? Math.floor(input) : undefined
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])i?b?|b)?\s*$/i.exec(input)
  if (!match?.[1]) return undefined
  const exponent = match[2] ? ' kmgt'.indexOf(match[2].toLowerCase()) : 0
  return finite(Math.floor(Number(match[1]) * 1024 ** exponent))
}

/**
 * Milliseconds from `7d`, `12h`, `30m`, `90s`, `500ms`, `2w` or a number of milliseconds. Undefined when the input is not a
 * duration.
 */
export function parseDuration(input: string | number): number | undefined {
  if (typeof input === 'number') return Number.isFinite(input) && input >= 0 ? input : undefined
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?\s*$/i.exec(input)
  const unit = match?.[2]?.toLowerCase() ?? 'ms'
  if (!match?.[1] || !isDurationUnit(unit)) return undefined
  return finite(Number(match[1]) * DURATION_MS[unit])
}

/** Bytes as text with three digits, in powers of 1024: `90.4 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${SIZE_UNITS[unit]}`
}

/** Milliseconds as text: `0.4 ms`, `182 ms`, `3.9 s`, `2 m 05 s`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${ms < 9.95 ? threeDigits(Math.round(ms * 10) / 10) : Math.round(ms)} ms`
  if (ms < 59_950) return `${threeDigits(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} m`
}

/** An age in milliseconds as text with its two largest units: `2h 15m`, `8d 3h`, `40s`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}

function threeDigits(value: number): string {
  const text = value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

function isDurationUnit(unit: string): unit is keyof typeof DURATION_MS {
  return unit in DURATION_MS
}
