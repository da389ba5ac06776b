import type { Vitest } from 'vitest/node'
import { printableLines } from '../model/printable.ts'

// Reporters that write a document to stdout unless they are given a file.
const OWNERS_OF_STDOUT = ['json', 'junit', 'tap', 'tap-flat']
// Those that Vitest 5 gives a file of its own choice, unless they are told `stdout: true`.
const WITH_OWN_FILE = ['json', 'junit']

/** Where whole lines of ours go: to stdout beside Vitest's own, or to stderr when another reporter owns stdout. */
export interface Output {
  color: boolean
  columns: number
  /** Writes whole lines, through Vitest's logger so that its summary window is not torn. */
  print(text: string): void
  /** A line of the debug log or a warning: always to stderr. */
  note(text: string): void
}

export function outputOf(vitest: Vitest): Output {
  const toStderr = vitest.config.reporters.some(
    (reporter) =>
      Array.isArray(reporter) && OWNERS_OF_STDOUT.includes(String(reporter[0])) && !hasFile(vitest, reporter),
  )
  const stream = toStderr ? process.stderr : process.stdout
  const color = stream.isTTY === true && !process.env.NO_COLOR
  return {
    color,
    columns: stream.isTTY ? (stream.columns ?? 80) : 120,
    print: (text) => (toStderr ? vitest.logger.error(text) : vitest.logger.log(text)),
    note: (text) => vitest.logger.error(`[model-cache] ${printableLines(text)}`),
  }
}

function hasFile(vitest: Vitest, [name, options]: unknown[]): boolean {
  const { outputFile } = vitest.config
  const own = typeof options === 'object' && options !== null && 'outputFile' in options && options.outputFile
  const hasOwnChoice = 'createReport' in vitest && WITH_OWN_FILE.includes(String(name))
  if (hasOwnChoice && Reflect.get(Object(options), 'stdout') !== true) return true
  return Boolean(own || (typeof outputFile === 'string' ? outputFile : outputFile?.[String(name) as 'json']))
}
