import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { chooseRunner } from '../../src/cli/config/choose-runner.ts'
import { findJestConfig } from '../../src/config/jest/config-file.ts'
import { removeFolder } from '../support/remove-folder.ts'

/** A folder with these files, by path. */
async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runner '))
  onTestFinished(() => removeFolder(folder))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

function installed(...names: string[]): Record<string, string> {
  const manifest = (name: string) => JSON.stringify({ name, version: '30.0.0', bin: 'bin.js' })
  return Object.fromEntries(names.map((name) => [`node_modules/${name}/package.json`, manifest(name)]))
}

const BOTH = installed('jest', 'vitest')
const script = (test: string) => ({ 'package.json': JSON.stringify({ scripts: { test } }) })

test.each([
  ['the one that is installed', installed('jest'), 'jest'],
  ['the one of package.json', { ...BOTH, 'package.json': '{ "devDependencies": { "jest": "30" } }' }, 'jest'],
  ['the one of the script', { ...BOTH, ...script('vitest-model-cache warm && jest --ci') }, 'jest'],
  ['the one of the script', { ...BOTH, ...script('vitest'), 'jest.config.js': '' }, 'vitest'],
  ['the one with a config', { ...BOTH, ...script('vitest && jest'), 'jest.config.ts': '' }, 'jest'],
  ['the one with a config', { ...BOTH, 'package.json': '{ "jest": {} }' }, 'jest'],
  ['Vitest, if none is installed', {}, 'vitest'],
  ['the one that the flag names', { ...BOTH, ...script('vitest') }, 'jest', 'jest' as const],
])('the test runner of a project is %s', async (_, files, runner, flag?: 'jest') => {
  expect(chooseRunner(await folderOf(files), { runner: flag })).toBe(runner)
})

test('with both runners, and nothing that decides, the user is asked for the flag', async () => {
  const folder = await folderOf({ ...BOTH, 'vite.config.ts': '', 'jest.config.js': '' })
  expect(() => chooseRunner(folder, {})).toThrow('Add `--runner vitest` or `--runner jest`.')
})

test('the config of Jest is found as Jest finds it', async () => {
  const folder = await folderOf({
    'jest.config.cts': '',
    'a/package.json': '{ "jest": {} }',
    'a/b/c/x.js': '',
    'd/package.json': '{ "name": "jest" }',
    'e/package.json': 'broken',
    'f/x.js': '',
  })
  const found = ['a/b/c', 'd', 'e', 'f'].map((path) => findJestConfig(join(folder, path)))
  expect(found).toEqual([join(folder, 'a/package.json'), undefined, undefined, join(folder, 'jest.config.cts')])
})
