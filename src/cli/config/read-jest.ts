import { relative } from 'node:path'
import process from 'node:process'
import { stripVTControlCharacters } from 'node:util'
import { findJestConfig } from '../../config/jest/config-file.ts'
import type { JestGlobals, JestProject } from '../../config/jest/read-projects.ts'
import type { Options } from '../../config/options.ts'
import { ModelCacheError, messageOf } from '../../model/errors.ts'

/** The settings of this package in the Jest config of a folder. */
export interface JestConfig {
  /** The root of Jest, which the records of runs name. */
  root: string
  /** The config file: `jest.config.*`, or a `package.json` with the key `jest`. */
  file: string
  globals: JestGlobals
  projects: JestProjectConfig[]
  /** The options of those projects that use this package. */
  options: Options[]
}

export interface JestProjectConfig {
  name: string
  root: string
  /** Undefined if the project does not use this package. */
  options: Options | undefined
  resolved: JestProject
}

/** Has Jest read its config, or the config file `path`. Undefined without a config file or without Jest: then no Jest is loaded. */
export async function readJestConfig(path?: string): Promise<JestConfig | undefined> {
  const root = process.cwd()
  const file = path ?? findJestConfig(root)
  if (file === undefined) return undefined
  const [{ readJestProjects }, { optionsOfProject }] = await Promise.all([
    import('../../config/jest/read-projects.ts'),
    import('../../config/jest/project-options.ts'),
  ])
  const read = await readJestProjects(root, path === undefined ? [] : ['--config', path]).catch((error: unknown) => {
    throw explained(error, relative(root, file))
  })
  if (!read) return undefined
  const { globalConfig: globals, configs } = read
  const projects = configs.map((resolved) => ({
    name: resolved.displayName?.name ?? (relative(root, resolved.rootDir) || '.'),
    root: resolved.rootDir,
    options: optionsOfProject(resolved, process.env, globals.rootDir),
    resolved,
  }))
  return { root: globals.rootDir, file, globals, projects, options: projects.flatMap(({ options }) => options ?? []) }
}

/** An error of Jest fills several lines, of which some only name its documents. */
function explained(error: unknown, file: string): unknown {
  if (error instanceof ModelCacheError) return error
  const lines = stripVTControlCharacters(messageOf(error))
    .split('\n')
    .map((line) => line.trim().replace(/^● /, ''))
    .filter((line) => !/^$|^Validation Error:$|^Configuration Documentation:$|^https:\/\/jestjs\.io\/docs\//.test(line))
  return new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Jest config ${file}`,
    reason: lines.join(' ').replace(/(?<![.!?:])$/, '.'),
    nextStep: '`npx jest --showConfig` shows the same error.',
    cause: error,
  })
}
