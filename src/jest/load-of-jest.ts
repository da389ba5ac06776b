import { dirname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findJest } from '../config/jest/find-jest.ts'
import { ModelCacheError } from '../model/errors.ts'

/** The folder of this package: the packages of the project are found from here too. */
export const OWN_FOLDER = dirname(fileURLToPath(import.meta.url))

/**
 * Loads a package of the Jest that runs the tests: see `InstalledJest.load`. A workspace may have several versions of Jest, and the one
 * that runs is that of the working directory. If there is none, it is that of `root`, the root of the project. Throws `NOT_SET_UP`.
 */
export function loadOfJest<Module>(root: string, name: string, ...over: string[]): Module {
  // The tests may be in a folder that has no packages of its own, and a program may start Jest in any working directory.
  const jest = findJest(process.cwd()) ?? findJest(root) ?? findJest(OWN_FOLDER)
  if (jest) return jest.load(name, ...over)
  throw new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: `The package ${name}`,
    reason: `Jest was not found from ${root}.`,
    nextStep: 'Install it there: npm install --save-dev jest.',
  })
}
