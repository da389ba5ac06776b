import { sep } from 'node:path'
import type { Environment } from '../environment-variables.ts'
import type { Options } from '../options.ts'
import { OPTIONS } from './option-keys.ts'
import { optionsIn } from './own-options.ts'
import type { JestProject } from './read-projects.ts'

/**
 * The options of a project: those in its `testEnvironmentOptions`. A project without options that has our environment, as by the preset,
 * has the defaults. Undefined for other projects. `runRoot` is the root of the whole run.
 */
export function optionsOfProject(project: JestProject, env: Environment, runRoot: string): Options | undefined {
  const { testEnvironment, testEnvironmentOptions } = project
  if (!Object.hasOwn(testEnvironmentOptions, OPTIONS) && !isOfThisPackage(testEnvironment)) return undefined
  return optionsIn(project, env, runRoot)
}

/** True for the path of a module of this package, as Jest resolves our preset. */
export function isOfThisPackage(path: string): boolean {
  return path.includes(['', 'vitest-model-cache', 'dist', 'jest', ''].join(sep))
}
