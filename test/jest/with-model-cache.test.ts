import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withModels } from '../../src/jest/with-model-cache.ts'

const folder = join(tmpdir(), 'a project')
const OURS = {
  testEnvironment: expect.stringContaining('environments'),
  testRunner: expect.stringContaining('test-runner'),
}

test('the root can be one of its own projects', () => {
  const config = withModels({ projects: ['<rootDir>', '<rootDir>/examples/*'] }, folder)
  expect(config).toMatchObject({ ...OURS, globalSetup: expect.stringContaining('global-setup') })
})

test('a root whose projects have configs of their own calls no global setup', () => {
  expect(withModels({ projects: ['<rootDir>/packages/*'] }, folder)).not.toHaveProperty('globalSetup')
})

test('wrong options of a root with projects are refused', () => {
  const wrong = { projects: ['<rootDir>/packages/*'], modelCache: { maxSize: 'large' } }
  expect(() => withModels(wrong, folder)).toThrow('`maxSize` of `modelCache`')
})
