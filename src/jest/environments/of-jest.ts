import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { ModelCacheError } from '../../model/errors.ts'
import { loadOfJest, OWN_FOLDER } from '../load-of-jest.ts'
import type { EnvironmentClass } from '../types.ts'

interface EnvironmentPackage {
  TestEnvironment: EnvironmentClass
}

/** The environment `node` of the user's own Jest. This package must not bring another version of it. */
export function nodeEnvironment(): EnvironmentClass {
  return loadOfJest<EnvironmentPackage>(process.cwd(), 'jest-environment-node', '@jest/core', 'jest-config')
    .TestEnvironment
}

/** The environment `jsdom`, which a project installs itself. Throws `NOT_SET_UP`. */
export function jsdomEnvironment(): EnvironmentClass {
  const name = 'jest-environment-jsdom'
  const require = createRequire(join(process.cwd(), 'package.json'))
  try {
    const { TestEnvironment }: EnvironmentPackage = require(
      require.resolve(name, { paths: [process.cwd(), OWN_FOLDER] }),
    )
    return TestEnvironment
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'MODULE_NOT_FOUND') throw error
    throw new ModelCacheError({
      code: 'NOT_SET_UP',
      asked: 'The environment jsdom',
      reason: `The package jest-environment-jsdom was not found from ${process.cwd()}.`,
      nextStep: 'Install it: npm install --save-dev jest-environment-jsdom.',
    })
  }
}
