import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import process from 'node:process'
import type { Config } from 'jest'
import { CHAIN, OPTIONS, OWNER, type UsersHooks } from '../config/jest/option-keys.ts'
import { optionsForConfig } from '../config/jest/own-options.ts'
import { withMessageOnly } from '../config/message-only.ts'
import { type ModelCacheOptions, type Options, resolveOptions } from '../config/options.ts'
import {
  GLOBAL_SETUP,
  GLOBAL_TEARDOWN,
  JSDOM_ENVIRONMENT,
  NODE_ENVIRONMENT,
  REPORTER,
  TEST_RUNNER,
  TEST_SEQUENCER,
} from './own-files.ts'
import { keepUsersSequencer } from './run/users-sequencer.ts'

export { configFolder } from './config-folder.ts'

/** A config of Jest with the options of this package. */
export type ConfigWithModels = Config & { modelCache?: ModelCacheOptions }

type Project = NonNullable<Config['projects']>[number]

/**
 * Adds this package to a config. The user's own global setup, environment, sequencer and reporters stay. `folder` is that of the config file. Throws
 * `INVALID_OPTION`.
 */
export function wireConfig(config: ConfigWithModels, folder: string): Config {
  const { modelCache = {}, projects = [], ...rest } = config
  const withPreset = withPresetOf(rest, folder)
  const { reporters = ['default'], testSequencer } = withPreset
  const isOurs = (reporter: unknown) => [reporter].flat()[0] === REPORTER
  if (testSequencer !== TEST_SEQUENCER) keepUsersSequencer({ root: rootOf(rest, folder), sequencer: testSequencer })
  const ofRun = {
    reporters: reporters.some(isOurs) ? reporters : [...reporters, REPORTER],
    testSequencer: TEST_SEQUENCER,
  }
  const hooks = { globalSetup: GLOBAL_SETUP, globalTeardown: GLOBAL_TEARDOWN }
  if (projects.length === 0)
    return { ...wireProject(rest, modelCache, folder, usersHooks(withPreset)), ...hooks, ...ofRun }
  const root = rootOf(rest, folder)
  // A project that is the root itself has this config.
  const hasThisConfig = (project: Project) =>
    typeof project !== 'string' || resolve(root, project.replace(/^<rootDir>/, root)) === root
  return {
    ...wireProject(rest, modelCache, folder, { ...usersHooks(withPreset), isOfRun: true }),
    // Jest calls the hooks of the projects that run, and those of the root.
    ...(projects.some(hasThisConfig) && hooks),
    ...ofRun,
    projects: projects.map((project) => inProject(project, modelCache, folder, usersHooks(withPreset))),
  }
}

/** A project that is named by its path has a config of its own, which calls `withModelCache` itself. */
function inProject(project: Project, inherited: ModelCacheOptions, folder: string, hooks: UsersHooks): Project {
  if (typeof project === 'string') return project
  const { modelCache = inherited, ...rest }: ConfigWithModels = project
  return wireProject(rest, modelCache, folder, { ...hooks, isOfRun: true }) as Project
}

function wireProject(config: Config, options: ModelCacheOptions, folder: string, hooks: UsersHooks): Config {
  const root = rootOf(config, folder)
  const resolved = withMessageOnly(() => resolveOptions(options, process.env, root, root, OWNER))
  const {
    testRunner,
    testEnvironment,
    testEnvironmentOptions,
    watchPathIgnorePatterns = [],
  } = withPresetOf(config, folder)
  return {
    ...config,
    testEnvironment: environmentFor(testEnvironment),
    testRunner: isCircus(testRunner) ? TEST_RUNNER : testRunner,
    setupFiles: [...(options.providers ?? []).map(inRoot), ...(config.setupFiles ?? [])],
    watchPathIgnorePatterns: [...watchPathIgnorePatterns, ...patternsOfWritten(resolved)],
    testEnvironmentOptions: { ...testEnvironmentOptions, [OPTIONS]: optionsForConfig(options), [CHAIN]: hooks },
  }
}

function usersHooks({ globalSetup, globalTeardown }: Config): UsersHooks {
  return {
    globalSetup: usersOwn(globalSetup, GLOBAL_SETUP),
    globalTeardown: usersOwn(globalTeardown, GLOBAL_TEARDOWN),
  }
}

/** An environment class of the user stays. Our test runner gives the models to it. */
function environmentFor(given = 'node'): string {
  if (given === 'node' || given === 'jest-environment-node') return NODE_ENVIRONMENT
  if (given === 'jsdom' || given === 'jest-environment-jsdom') return JSDOM_ENVIRONMENT
  return given
}

function isCircus(given: string | undefined): boolean {
  return given === undefined || ['jest-circus', 'jest-circus/runner', TEST_RUNNER].includes(given)
}

function usersOwn(path: string | null | undefined, own: string): string | undefined {
  return path === own ? undefined : (path ?? undefined)
}

/** A config with the settings of its preset. Without them if the preset can't be read: Jest tells why. */
function withPresetOf(config: Config, folder: string): Config {
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
  if (!config.preset) return given
  const root = rootOf(config, folder)
  const require = createRequire(join(root, 'package.json'))
  const path = config.preset.replace(/^<rootDir>/, root)
  // As in Jest, a path names the file, with or without its ending.
  const isPath = path.startsWith('.') || isAbsolute(path)
  const names = ['.json', '.js', '.cjs', '.mjs'].map((ending) => `${isPath ? path : `${path}/jest-preset`}${ending}`)
  for (const name of isPath ? [path, ...names] : names) {
    try {
      const found: unknown = require(name)
      return { ...Object(Reflect.get(Object(found), 'default') ?? found), ...given }
    } catch {
      // It has another ending, or can't be read.
    }
  }
  return given
}

function rootOf({ rootDir = '' }: Config, folder: string): string {
  return resolve(folder, rootDir)
}

/** What a run writes. In watch mode it would start another run. */
function patternsOfWritten({ cacheDir, report }: Options): string[] {
  const written = [cacheDir, report === false ? [] : (report.outputFile ?? [])].flat()
  return written.map((path) => `^${path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?:[\\\\/]|$)`)
}

function inRoot(path: string): string {
  return isAbsolute(path) ? path : `<rootDir>/${path}`
}
