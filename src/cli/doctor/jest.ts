import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import process from 'node:process'
import { findPackage } from '../../config/jest/find-jest.ts'
import { isOfThisPackage } from '../../config/jest/project-options.ts'
import { count } from '../../report/words.ts'
import type { JestConfig, JestProjectConfig } from '../config/read-jest.ts'
import { isModulePackage, readText } from '../init/read-text.ts'
import { type Check, fail, ok, warn } from './check.ts'
import { type Installed, problemCheck } from './project.ts'

const FLAG = '--experimental-vm-modules'
const CONFIG = 'Jest config'
const HOOKS = 'Jest hooks'
const WRAP = 'Wrap the config in `withModelCache()` of vitest-model-cache/jest. It keeps your settings and adds ours.'
const INIT = 'Run `npx vitest-model-cache init --runner jest`.'

export function checkJest({ version }: Pick<Installed, 'version'>): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major >= 30 || (major === 29 && minor >= 7)) return ok('Jest', version)
  return fail('Jest', `${version} is not supported`, 'Install Jest 29.7 or newer.')
}

/** Checks which projects of the config use this package, or shows why the config could not be read. */
export function checkJestConfig(config: JestConfig | { error: unknown } | undefined, from: string): Check {
  if (!config) return warn(CONFIG, 'there is no Jest config here', INIT)
  if ('error' in config) return problemCheck(CONFIG, config.error, 'Correct the Jest config.')
  const name = relative(from, config.file)
  const served = config.projects.filter(({ options }) => options !== undefined)
  const without = config.projects.filter(({ options }) => options === undefined)
  if (served.length === 0) {
    const isWrapped = config.globals.reporters?.some(([path]) => isOfThisPackage(path))
    if (!isWrapped) return warn(CONFIG, `${name} does not use vitest-model-cache`, INIT)
    return warn(
      CONFIG,
      `${name} does not give the model cache to ${namesOf(config.projects)}, which have configs of their own`,
      'Wrap the configs of the projects that use models by `withModelCache()`.',
    )
  }
  const models = config.options.flatMap(({ models }) => models)
  const modes = [...new Set(config.options.map(({ mode }) => mode))].join(' and ')
  const text = `${name} has modelCache, ${count(models.length, 'model')} declared, mode ${modes}`
  if (config.projects.length === 1) return ok(CONFIG, text)
  return ok(
    CONFIG,
    `${text}; projects ${namesOf(served)} with it${without.length > 0 ? `, ${namesOf(without)} without` : ''}`,
  )
}

/** Checks that Jest calls our parts, of which the settings of a user may have replaced some. */
export function checkJestHooks({ globals, projects }: JestConfig, from: string): Check[] {
  const served = projects.filter(({ options }) => options !== undefined)
  const has = (path: string | null | undefined) => path != null && isWired(path)
  // The global setup of one project, or of the root, sets up all projects.
  const isSetUp = [globals, ...served.map(({ resolved }) => resolved)].some(({ globalSetup }) => has(globalSetup))
  const replaced = served.flatMap(({ name, resolved }) => {
    const { globalSetup, testRunner, testEnvironment } = resolved
    const where = served.length > 1 ? ` in project ${name}` : ''
    const parts = []
    if (!isSetUp) parts.push(`\`globalSetup\` is ${shown(globalSetup, from)}${where}`)
    if (![testRunner, testEnvironment].some(has))
      parts.push(`\`testEnvironment\` is ${shown(testEnvironment, from)}${where}`)
    return parts
  })
  if (!globals.reporters?.some(([path]) => has(path))) {
    const given = globals.reporters?.map(([path]) => shown(path, from)).join(', ')
    replaced.push(`\`reporters\` ${given ? `are ${given}` : 'lack ours'}`)
  }
  const hooks =
    replaced.length === 0
      ? ok(HOOKS, 'global setup, environment and reporter')
      : warn(HOOKS, `a setting replaces ours: ${replaced.join('; ')}`, WRAP)
  return [hooks, ...served.flatMap(checkJsdom), ...served.flatMap(checkModules)]
}

/** True for a part of this package, and for a module of the user that loads it. */
function isWired(path: string): boolean {
  if (isOfThisPackage(path)) return true
  try {
    return readFileSync(path, 'utf8').includes('vitest-model-cache/jest')
  } catch {
    return false
  }
}

function shown(path: string | null | undefined, from: string): string {
  if (path == null) return 'not set'
  const [, inPackage] = /.*[\\/]node_modules[\\/](.+)$/.exec(path) ?? []
  return inPackage ?? (relative(from, path) || path)
}

/** Jest brings no jsdom since version 28. */
function checkJsdom({ root, resolved: { testEnvironment } }: JestProjectConfig): Check[] {
  if (!isOfThisPackage(testEnvironment) || !/[\\/]jsdom\.[cm]?js$/.test(testEnvironment)) return []
  const name = 'jest-environment-jsdom'
  if (findPackage(name, join(root, 'package.json'))) return []
  return [fail('jsdom', `${name} is not installed in ${root}`, `Run \`npm install --save-dev ${name}\`.`)]
}

/** Jest runs ES modules with a flag of Node.js only. */
function checkModules({ name, root, resolved }: JestProjectConfig): Check[] {
  const { extensionsToTreatAsEsm, transform } = resolved
  const isModule = extensionsToTreatAsEsm.length > 0 || (transform.length === 0 && isModulePackage(root))
  const flagged = [
    process.env.NODE_OPTIONS,
    ...[root, process.cwd()].map((folder) => readText(join(folder, 'package.json'))),
  ]
  if (!isModule || flagged.some((text) => text?.includes(FLAG))) return []
  return [
    warn(
      'ES modules',
      `project ${name} has tests that are ES modules, and no script sets ${FLAG}`,
      `Start Jest with NODE_OPTIONS=${FLAG}.`,
    ),
  ]
}

function namesOf(projects: JestProjectConfig[]): string {
  return projects.map(({ name }) => name).join(', ')
}
