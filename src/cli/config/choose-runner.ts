import { join } from 'node:path'
import { findJestConfig } from '../../config/jest/config-file.ts'
import { findJest } from '../../config/jest/find-jest.ts'
import { ModelCacheError } from '../../model/errors.ts'
import { findInstalled } from '../doctor/project.ts'
import { readText } from '../init/read-text.ts'
import { findVitestConfig } from './read-vitest.ts'

const RUNNERS = ['vitest', 'jest'] as const
export type Runner = (typeof RUNNERS)[number]

export interface RunnerFlag {
  runner?: Runner
}

export function nameOfRunner(runner: Runner): string {
  return runner === 'jest' ? 'Jest' : 'Vitest'
}

/**
 * The test runner that a command is for: the one that the flag names, else the one that is installed. If both are, it is the one that
 * `package.json` depends on, else the one that its script `test` runs, else the one that has a config. Throws `INVALID_OPTION` if that
 * decides nothing.
 */
export function chooseRunner(folder: string, { runner }: RunnerFlag): Runner {
  if (runner) return runner
  const manifest = manifestOf(folder)
  const named = { ...manifest.dependencies, ...manifest.devDependencies }
  const script = manifest.scripts?.test ?? ''
  const isInstalled = { vitest: findInstalled('vitest', folder) !== undefined, jest: findJest(folder) !== undefined }
  const hasConfig = { vitest: findVitestConfig(folder) !== undefined, jest: findJestConfig(folder) !== undefined }
  const ways: ((runner: Runner) => boolean)[] = [
    (each) => isInstalled[each],
    (each) => Object.hasOwn(named, each),
    (each) => new RegExp(`(?<![\\w-])${each}(?![\\w-])`).test(script),
    (each) => hasConfig[each],
  ]
  for (const isChosen of ways) {
    const [chosen, ...others] = RUNNERS.filter(isChosen)
    if (chosen && others.length === 0) return chosen
  }
  if (!isInstalled.vitest) return 'vitest'
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `The test runner of ${folder}`,
    reason: 'Vitest and Jest are both installed, and the script `test` does not say which one is meant.',
    nextStep: 'Add `--runner vitest` or `--runner jest`.',
  })
}

interface Manifest {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  scripts?: Record<string, string>
}

function manifestOf(folder: string): Manifest {
  try {
    return JSON.parse(readText(join(folder, 'package.json')) ?? '{}')
  } catch {
    return {}
  }
}
