import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { usersSequencer } from '../../src/jest/run/users-sequencer.ts'
import { wireConfig } from '../../src/jest/wire-config.ts'

const folder = join(tmpdir(), 'a project')
const OURS = {
  testEnvironment: expect.stringContaining('environments'),
  testRunner: expect.stringContaining('test-runner'),
}

test('the root can be one of its own projects', () => {
  const config = wireConfig({ projects: ['<rootDir>', '<rootDir>/examples/*'] }, folder)
  expect(config).toMatchObject({ ...OURS, globalSetup: expect.stringContaining('global-setup') })
})

test('a root whose projects have configs of their own calls no global setup', () => {
  expect(wireConfig({ projects: ['<rootDir>/packages/*'] }, folder)).not.toHaveProperty('globalSetup')
})

test('wrong options of a root with projects are refused', () => {
  const wrong = { projects: ['<rootDir>/packages/*'], modelCache: { maxSize: 'large' } }
  expect(() => wireConfig(wrong, folder)).toThrow('`maxSize` of `modelCache`')
})

test('the sequencer of a project does not count for the run, and `--rootDir` does not lose that of the run', () => {
  wireConfig({ testSequencer: './own.cjs' }, folder)
  const elsewhere = join(tmpdir(), 'elsewhere')
  expect(usersSequencer({ rootDir: elsewhere, projects: [folder] })).toBeUndefined()
  for (const run of [{ rootDir: folder, projects: [folder] }, { rootDir: elsewhere, projects: [] }, undefined])
    expect(usersSequencer(run)).toMatchObject({ sequencer: './own.cjs' })
})
