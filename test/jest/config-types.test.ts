import { expectTypeOf, test } from 'vitest'
import { withModelCache } from '../../src/jest/index.ts'

test('a config may be an object, a promise or a function, without casts', () => {
  const modelCache = { models: ['org/name'] }
  expectTypeOf(withModelCache).toBeCallableWith({ modelCache: { models: [{ repo: 'org/name', dtype: 'q8' }] } })
  expectTypeOf(withModelCache).toBeCallableWith(Promise.resolve({ modelCache }))
  // tsc checks these calls, and nobody makes them.
  const calls = () => [
    withModelCache(async () => ({ modelCache: { models: [{ repo: 'org/name', dtype: 'q8' }] } })),
    withModelCache((testTimeout: number) => ({ testTimeout, modelCache: { models: [{ repo: 'a/b', dtype: 'q8' }] } })),
  ]
  expectTypeOf(calls).toBeFunction()
})
