import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import process from 'node:process'
import type { Options } from '../../config/options.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'
import { readVitestConfig } from './read-vitest.ts'

/** The text of a config file before and after an edit. */
export interface ConfigEdit {
  path: string
  before: string
  after: string
}

/** The plugin's options by the edited config. Vitest reads it from a file beside the config, which is removed again. */
export async function optionsAfter({ path, after }: ConfigEdit): Promise<Options | undefined> {
  const extension = extname(path)
  const copy = join(dirname(path), `${basename(path, extension)}.edited-${process.pid}${extension}`)
  await writeFile(copy, after, { flag: 'wx' })
  try {
    return (await readVitestConfig(copy)).options
  } finally {
    await rm(copy, { force: true })
  }
}

/** Writes the edited config in its place: a link stays a link. Throws if the file was changed in the meantime. */
export async function writeEdit({ path, before, after }: ConfigEdit): Promise<void> {
  if ((await readFile(path, 'utf8')) === before) return writeFile(path, after)
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `The edit of ${path}`,
    reason: 'The file was changed meanwhile.',
    nextStep: 'Run the command again. Nothing was changed.',
  })
}

/** Why an edited config can't be used; undefined where Vitest reads it and the options are right. */
export async function problemOf(edit: ConfigEdit, isRight: (options: Options) => boolean): Promise<string | undefined> {
  try {
    const options = await optionsAfter(edit)
    return options && isRight(options) ? undefined : 'Vitest does not find the change in the edited config.'
  } catch (error) {
    return messageOf(error)
  }
}
