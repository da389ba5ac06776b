import type { Vitest } from 'vitest/node'
import { type Output, outputTo } from '../run/output.ts'

// Reporters that write a document to stdout unless they have an output file.
const OWNERS_OF_STDOUT = ['json', 'junit', 'tap', 'tap-flat']
// Vitest 5 gives these reporters an output file by default. With `stdout: true` they write to stdout.
const WITH_OWN_FILE = ['json', 'junit']

/**
 * Prints through Vitest's logger, so that Vitest's summary window is not torn. The report goes to stdout, or to stderr when
 * another reporter writes its document to stdout.
 */
export function outputOf(vitest: Vitest): Output {
  const toStderr = vitest.config.reporters.some(
    (reporter) =>
      Array.isArray(reporter) && OWNERS_OF_STDOUT.includes(String(reporter[0])) && !hasFile(vitest, reporter),
  )
  const printError = (text: string) => vitest.logger.error(text)
  return outputTo({
    stream: toStderr ? process.stderr : process.stdout,
    print: toStderr ? printError : (text) => vitest.logger.log(text),
    printError,
  })
}

function hasFile(vitest: Vitest, [name, options]: unknown[]): boolean {
  const { outputFile } = vitest.config
  const own = typeof options === 'object' && options !== null && 'outputFile' in options && options.outputFile
  const isVitest5 = 'createReport' in vitest
  if (isVitest5 && WITH_OWN_FILE.includes(String(name)) && Reflect.get(Object(options), 'stdout') !== true) return true
  return Boolean(own || (typeof outputFile === 'string' ? outputFile : outputFile?.[String(name) as 'json']))
}
