import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import type { InstalledJest } from '../../config/jest/find-jest.ts'
import { count } from '../../report/words.ts'
import { type Check, warn } from './check.ts'

const LIST_WITHIN_MS = 60_000
const FILES_AT_ONCE = 16
const OWN = 'vitest-model-cache/jest/environments/'

/** Names the test files whose docblock chooses jsdom. Such a file gets the models, but loads the builds of packages for browsers. */
export async function checkDocblocks({ program }: Pick<InstalledJest, 'program'>, from: string): Promise<Check[]> {
  const limit = pLimit(FILES_AT_ONCE)
  const files = await listTests(program, from)
  const named = await Promise.all(files.map((file) => limit(async () => ({ file, name: await environmentOf(file) }))))
  const [first, ...others] = named.filter(({ name }) => name === 'jsdom' || name === 'jest-environment-jsdom')
  if (!first) return []
  const more = others.length > 0 ? ` and ${count(others.length, 'other file')}` : ''
  return [
    warn(
      'docblocks',
      `${relative(from, first.file)}${more}: \`@jest-environment jsdom\` loads the builds of packages for browsers`,
      `Write \`@jest-environment ${OWN}jsdom\` there, if the tests use models.`,
    ),
  ]
}

/** Has Jest list the test files. Runs no test. Empty if it fails: the checks of the config say why. */
async function listTests(program: string, cwd: string): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, '--listTests'], {
      ...{ cwd, timeout: LIST_WITHIN_MS, maxBuffer: 2 ** 26 },
    })
    return stdout.split('\n').filter((line) => line !== '')
  } catch {
    return []
  }
}

async function environmentOf(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  // A docblock is the first comment of a file.
  const [docblock = ''] = /^\s*\/\*\*?[\s\S]*?\*\//.exec(text) ?? []
  return /@jest-environment\s+(\S+)/.exec(docblock)?.[1]
}
