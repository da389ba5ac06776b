import { cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, inject, onTestFinished, test } from 'vitest'
import { ERROR_CODES, ModelCacheError } from '../../src/model/errors.ts'
import { removeFolder } from '../support/remove-folder.ts'

/** Runs the command of the packed package, which reads the packed document. */
async function explain(...args: string[]) {
  const program = join(inject('packedPackage'), 'dist', 'cli', 'main.js')
  return execa(process.execPath, [program, 'explain', ...args], { reject: false })
}

test('the message of an error ends with the command that explains its code', async () => {
  const error = new ModelCacheError({ code: 'GATED', asked: 'Model a/b', reason: 'It is gated.', nextStep: 'Log in.' })
  const [, command = ''] = /\(more: npx vitest-model-cache explain (.*)\)$/.exec(error.message) ?? []
  const { stdout, exitCode } = await explain(command)
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^GATED\n\n.*accept its terms.*\n\nUsual causes:\n\n- .*\n\nWhat to do:\n\n- /s)
})

test('explain takes a code in any case, and shows links as names of files', async () => {
  const [lower, upper] = await Promise.all([explain('offline'), explain('OFFLINE')])
  expect(lower.stdout).toBe(upper.stdout)
  expect(lower.stdout).toContain('offline (docs/recipes.md#offline)')
  expect(lower.stdout).not.toContain('](')
  expect(Math.max(...lower.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
})

test('explain without a code lists all codes, each with its meaning', async () => {
  const { stdout } = await explain()
  expect(stdout.match(/^[A-Z_]+$/gm)).toEqual(ERROR_CODES)
  expect(stdout.match(/^ {2}[A-Z].*\.$/gm)).toHaveLength(ERROR_CODES.length)
  const { codes } = JSON.parse((await explain('--json')).stdout)
  expect(codes).toContainEqual({ code: 'IN_USE', meaning: expect.stringContaining('was not removed') })
})

test('an unknown code ends with 2, the code that was probably meant, and the command that lists all codes', async () => {
  const { exitCode, stderr, stdout } = await explain('GATTED')
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain('Did you mean GATED?')
  expect(stderr).toContain('`npx vitest-model-cache explain` lists all codes.')
})

test('where a tool removed the documents of the package, explain says what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pruned package '))
  onTestFinished(() => removeFolder(folder))
  for (const part of ['package.json', 'dist'])
    await cp(join(inject('packedPackage'), part), join(folder, part), { recursive: true })
  const { exitCode, stderr } = await execa(process.execPath, [join(folder, 'dist/cli/main.js'), 'explain', 'GATED'], {
    reject: false,
  })
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/troubleshooting\.md: It is missing.* Install vitest-model-cache again.*\[FILE_NOT_FOUND]/)
})
