import { createRequire } from 'node:module'
import { isAbsolute, join } from 'node:path'
import process from 'node:process'
import type { Config } from 'jest'
import { CHAIN, OPTIONS, OWNER, optionsForConfig } from '../config/jest/own-options.ts'
import { withMessageOnly } from '../config/message-only.ts'
import { type ModelCacheOptions, type Options, resolveOptions } from '../config/options.ts'
import {
  GLOBAL_SETUP,
  GLOBAL_TEARDOWN,
  JSDOM_ENVIRONMENT,
  NODE_ENVIRONMENT,
  REPORTER,
  TEST_RUNNER,
} from './own-files.ts'

/** A config of Jest with the options of this package. */
export type ConfigWithModels = Config & { modelCache?: ModelCacheOptions }

type Project = NonNullable<Config['projects']>[number]

/** Adds this package to a config. The user's own global setup, environment and reporters stay. Throws `INVALID_OPTION`. */
export function withModels(config: ConfigWithModels, inherited?: ModelCacheOptions): Config {
  const { modelCache = inherited, projects, reporters = ['default'], ...rest } = config
  const isOurs = (reporter: unknown) => [reporter].flat()[0] === REPORTER
  const withReporter = { reporters: reporters.some(isOurs) ? reporters : [...reporters, REPORTER] }
  if (projects) return { ...rest, ...withReporter, projects: projects.map((project) => inProject(project, modelCache)) }
  return { ...wired(rest, modelCache ?? {}), ...withReporter }
}

/** A project that is named by its path has a config of its own, which calls `withModelCache` itself. */
function inProject(project: Project, inherited: ModelCacheOptions | undefined): Project {
  if (typeof project === 'string') return project
  const { modelCache = inherited, ...rest }: ConfigWithModels = project
  return wired(rest, modelCache ?? {}) as Project
}

function wired(config: Config, options: ModelCacheOptions): Config {
  const rootDir = config.rootDir ?? process.cwd()
  const resolved = withMessageOnly(() => resolveOptions(options, process.env, rootDir, rootDir, OWNER))
  const preset = presetOf(config, rootDir)
  const {
    globalSetup,
    globalTeardown,
    testRunner,
    testEnvironment,
    watchPathIgnorePatterns = [],
  } = {
    ...preset,
    ...defined(config),
  }
  return {
    ...config,
    globalSetup: GLOBAL_SETUP,
    globalTeardown: GLOBAL_TEARDOWN,
    testEnvironment: environmentFor(testEnvironment),
    testRunner: isCircus(testRunner) ? TEST_RUNNER : testRunner,
    setupFiles: [...(options.providers ?? []).map(inRoot), ...(config.setupFiles ?? [])],
    watchPathIgnorePatterns: [...watchPathIgnorePatterns, ...patternsOfWritten(resolved)],
    testEnvironmentOptions: {
      ...config.testEnvironmentOptions,
      [OPTIONS]: optionsForConfig(options),
      [CHAIN]: {
        globalSetup: usersOwn(globalSetup, GLOBAL_SETUP),
        globalTeardown: usersOwn(globalTeardown, GLOBAL_TEARDOWN),
      },
    },
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

function defined(config: Config): Config {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}

/** The settings of a preset, which our own replace. Empty if the preset can't be read: Jest tells why. */
function presetOf({ preset }: Config, rootDir: string): Config {
  if (!preset) return {}
  const require = createRequire(join(rootDir, 'package.json'))
  const path = preset.replace(/^<rootDir>/, rootDir)
  for (const ending of ['js', 'json', 'cjs', 'mjs']) {
    try {
      const found: unknown = require(`${path}/jest-preset.${ending}`)
      return Object(Reflect.get(Object(found), 'default') ?? found)
    } catch {
      // It has another ending, or can't be read.
    }
  }
  return {}
}

/** What a run writes. In watch mode it would start another run. */
function patternsOfWritten({ cacheDir, report }: Options): string[] {
  const written = [cacheDir, report === false ? [] : (report.outputFile ?? [])].flat()
  return written.map((path) => `^${path.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?:[\\\\/]|$)`)
}

function inRoot(path: string): string {
  return isAbsolute(path) ? path : `<rootDir>/${path}`
}
