import type { Options } from '../../config/options.ts'
import { messageOf } from '../../model/errors.ts'
import { printNotes } from '../show/print.ts'
import { type JestConfig, readJestConfig } from './read-jest.ts'
import { readVitestConfig, type VitestConfig } from './read-vitest.ts'

/** The settings of this package in the configs of a folder. */
export interface TestConfig {
  vitest: VitestConfig | undefined
  /** Undefined if there is no Jest config, or no Jest. */
  jest: JestConfig | undefined
  /** The options of Vitest's config, else of the first project of Jest that has options. */
  options: Options | undefined
}

/**
 * Reads the Vitest config and the Jest config of this folder. If one of them can't be read, its error is thrown, unless the other one
 * has the options: then the error is printed as a note.
 */
export async function readTestConfig(): Promise<TestConfig> {
  const errors: unknown[] = []
  const keep = (error: unknown) => {
    errors.push(error)
    return undefined
  }
  const vitest = await readVitestConfig().catch(keep)
  const jest = await readJestConfig().catch(keep)
  const options = vitest?.options ?? jest?.options[0]
  if (errors.length > 0 && !options) throw errors[0]
  for (const error of errors) printNotes(`A config is not used, because it can't be read: ${messageOf(error)}`)
  return { vitest, jest, options }
}
