import type { Report } from './types.ts'
import { count } from './words.ts'

type Failure = Report['errors'][number]

const FILES_SHOWN = 3

/** A line for each failure. A failure that the output of a test shows in full is only named and counted. Pure. */
export function failureLines(errors: readonly Failure[], isTold: (error: Failure) => boolean = () => false): string[] {
  const told = errors.filter((error) => isTold(error))
  const untold = errors.filter((error) => !isTold(error))
  return [...untold.map((error) => `${error.message}${whoAsked(error)}`), ...alike(told).map(named)]
}

/** `2 requests for org/name failed in a.test.ts, b.test.ts [OFFLINE]` */
function named({ model, code, requests, testFiles }: Failure): string {
  const where = testFiles.length > 0 ? ` in ${filesOf(testFiles)}` : ''
  return `${count(requests, 'request')} for ${model} failed${where} [${code}]`
}

/** Joins the failures of one model with the same code. */
function alike(errors: Failure[]): Failure[] {
  const together = new Map<string, Failure>()
  for (const error of errors) {
    const key = JSON.stringify([error.model, error.code])
    const { requests, testFiles } = together.get(key) ?? { requests: 0, testFiles: [] }
    const files = [...new Set([...testFiles, ...error.testFiles])]
    together.set(key, { ...error, requests: requests + error.requests, testFiles: files })
  }
  return [...together.values()]
}

function whoAsked({ requests, testFiles }: Failure): string {
  if (requests === 0) return ' (warm-up; no test asked for it)'
  return testFiles.length > 0 ? ` (${filesOf(testFiles)})` : ''
}

function filesOf(testFiles: string[]): string {
  const more = testFiles.length - FILES_SHOWN
  return [...testFiles.slice(0, FILES_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}
