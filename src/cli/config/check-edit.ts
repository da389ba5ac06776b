import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import process from 'node:process'
import type { Options } from '../../config/options.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { nameOfRunner, type Runner } from './choose-runner.ts'
import { readJestConfig } from './read-jest.ts'
import { readVitestConfig } from './read-vitest.ts'

/** The text of a config file before and after an edit. */
export interface ConfigEdit {
  runner: Runner
  path: string
  before: string
  after: string
}

/** Our options by the edited config. Vitest or Jest reads it from a file beside the config, which is removed again. */
async function optionsAfter({ runner, path, after }: ConfigEdit): Promise<Options[]> {
  const extension = extname(path)
  const name = basename(path, extension)
  const mark = `edited-${process.pid}`
  // Jest reads the key `jest` of a file whose name ends in `package.json`.
  const copy = join(dirname(path), name === 'package' ? `${mark}.${name}.json` : `${name}.${mark}${extension}`)
  await writeFile(copy, after, { flag: 'wx' })
  try {
    if (runner === 'vitest') return [(await readVitestConfig(copy)).options ?? []].flat()
    return (await readJestConfig(copy))?.options ?? []
  } finally {
    await rm(copy, { force: true })
  }
}

/** Writes the edited config in its place: a link stays a link. Throws if the file was changed in the meantime. */
export async function writeEdit({ path, before, after }: Omit<ConfigEdit, 'runner'>): Promise<void> {
  if ((await readFile(path, 'utf8')) === before) return writeFile(path, after)
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `The edit of ${path}`,
    reason: 'The file was changed meanwhile.',
    nextStep: 'Run the command again. Nothing was changed.',
  })
}

/** Why an edited config can't be used; undefined where its runner reads it and the options of each of its projects are right. */
export async function problemOf(edit: ConfigEdit, isRight: (options: Options) => boolean): Promise<string | undefined> {
  try {
    const options = await optionsAfter(edit)
    const isFound = options.length > 0 && options.every(isRight)
    return isFound ? undefined : `${nameOfRunner(edit.runner)} does not find the change in the edited config.`
  } catch (error) {
    return messageOf(error)
  }
}
