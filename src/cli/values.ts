import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../config/units.ts'

// The values of flags. Each function throws with what to write.

export function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number from 1 on.')
}

export function lastRuns(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a number of runs, 1 to 999.')
}

export function address(text: string): string {
  if (/^[\w.:-]+$/.test(text)) return text
  throw new InvalidArgumentError('Write an address or a host name of this machine, such as 127.0.0.1 or 0.0.0.0.')
}

export function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new InvalidArgumentError('Write a port, 0 to 65535.')
}

/** Milliseconds. A number alone would be milliseconds, which nobody means here. */
export function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined && /[a-z]/i.test(text)) return ms
  throw new InvalidArgumentError('Write a duration such as 7d, 12h or 30m.')
}

/** An empty name, such as a script's variable that is not set, must not mean the default folder. */
export function named(folder: string): string {
  if (folder.trim() !== '') return folder
  throw new InvalidArgumentError('Write the name of a folder.')
}

export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}
