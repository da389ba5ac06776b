import process from 'node:process'
import { printableLines } from '../model/printable.ts'

/** Prints for the package in the main process. Each call writes whole lines. */
export interface Output {
  color: boolean
  columns: number
  /** Prints a part of the report. */
  print(text: string): void
  /** Prints a warning or a line of the debug log to stderr. */
  note(text: string): void
}

/** How a runner prints. The functions use the runner's own logger, because the runner redraws parts of the terminal. */
export interface Logger {
  /** The stream that `print` writes to. */
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>
  print(text: string): void
  /** Writes to stderr. */
  printError(text: string): void
}

export function outputTo({ stream, print, printError }: Logger): Output {
  return {
    color: stream.isTTY === true && !process.env.NO_COLOR,
    columns: stream.isTTY ? (stream.columns ?? 80) : 120,
    print,
    note: (text) => printError(`[model-cache] ${printableLines(text)}`),
  }
}

/** For a runner whose stdout has nothing but the document of its reporter. */
export function outputToStderr(): Output {
  const print = (text: string) => void process.stderr.write(`${text}\n`)
  return outputTo({ stream: process.stderr, print, printError: print })
}
