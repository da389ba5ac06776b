import process from 'node:process'
import { findJest } from '../config/jest/find-jest.ts'
import { ModelCacheError } from '../model/errors.ts'

/** Loads a package of the Jest that runs the project's tests: see `InstalledJest.load`. Throws `NOT_SET_UP`. */
export function loadOfJest<Module>(root: string, name: string, ...over: string[]): Module {
  // The tests may be in a folder that has no packages of its own.
  const jest = findJest(root) ?? findJest(process.cwd())
  if (jest) return jest.load(name, ...over)
  throw new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: `The package ${name}`,
    reason: `Jest was not found from ${root}.`,
    nextStep: 'Install it there: npm install --save-dev jest.',
  })
}
