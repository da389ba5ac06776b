import process from 'node:process'
import { type Output, outputTo } from '../run/output.ts'

/** Prints to stderr, as Jest does: stdout has nothing but the document of `--json`. */
export function outputToStderr(): Output {
  const print = (text: string) => void process.stderr.write(`${text}\n`)
  return outputTo({ stream: process.stderr, print, printError: print })
}
