import { existsSync } from 'node:fs'
import { resolve as absolutePath } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { TestProject, Vitest } from 'vitest/node'
import type { Options } from '../config/options.ts'
import { ModelCacheError } from '../model/errors.ts'
import { PRELOAD } from '../run/preload.ts'
import type { Session } from '../run/session.ts'
import { allowOwnFolder } from './allow-own-folder.ts'
import ModelCacheReporter from './reporter.ts'

export const SETUP_FILE = ownFile('./setup-file.js')
export const GLOBAL_SETUP = ownFile('./global-setup.js')
const BROWSER_SETUP_FILE = ownFile('./browser/setup-file.js')
const ENVIRONMENTS = ['node', 'jsdom', 'happy-dom', 'edge-runtime']

/** Adds our files to the config of a project. Vitest has resolved the config already, so paths have to be absolute. */
export function wireProject(project: TestProject, options: Options): void {
  const { config } = project
  const own = [SETUP_FILE, ...options.providers.map((path) => providerModule(project, path))]
  const theirs = config.setupFiles.filter((file) => ![...own, BROWSER_SETUP_FILE].includes(file))
  config.setupFiles = [...(project.isBrowserEnabled() ? [BROWSER_SETUP_FILE] : own), ...theirs]
  const theirSetups = [config.globalSetup ?? []].flat().filter((file) => file !== GLOBAL_SETUP)
  config.globalSetup = [GLOBAL_SETUP, ...theirSetups]
  if (project.isBrowserEnabled()) return
  allowOwnFolder(project.vite.config)
  runForEachFile(project, own)
  // Workers load the preload, and the main process never does. It is added here because a project with `extends` does not get
  // what the `config` hook returns (Vitest 5).
  if (options.intercept.length > 0) config.execArgv = [...(config.execArgv ?? []), '--require', PRELOAD]
  // A custom environment of the user stays. The setup file serves the models there too.
  if (ENVIRONMENTS.includes(config.environment) && !isHost(config))
    config.environment = ownFile(`./environments/${config.environment}.js`) as typeof config.environment
}

/** True if tests have the global object of Node.js itself: it needs no classes from Node.js, and the setup file does the rest. */
function isHost({ environment, pool }: TestProject['config']): boolean {
  return environment === 'node' && (pool === 'forks' || pool === 'threads')
}

/** The absolute path of a module that `providers` names. Throws `INVALID_OPTION` where there is none: Vitest would name the path alone. */
function providerModule({ config, vite }: TestProject, path: string): string {
  const module = absolutePath(config.root, path)
  const { extensions } = vite.config.resolve
  if (['', ...extensions].some((extension) => existsSync(`${module}${extension}`))) return module
  throw new ModelCacheError({
    code: 'INVALID_OPTION',
    asked: `Option \`providers\` of modelCache(): ${JSON.stringify(path)}`,
    reason: `There is no module ${module}.`,
    nextStep: `Write the path of a module that calls defineProvider(), relative to ${config.root}.`,
  })
}

/**
 * Has Vitest run our setup files for each test file. Vitest does so for the setup files that were in the config when it was resolved.
 * A project with `extends` does not get those of the `config` hook (Vitest 5): with --no-isolate only the first test file of a worker
 * would have models. If Vitest keeps the list elsewhere, this changes nothing.
 */
function runForEachFile(project: TestProject, files: string[]): void {
  const { inlineFiles }: { inlineFiles?: unknown } = Object(
    Reflect.get(Object(Reflect.get(project, '_resolver')), 'options'),
  )
  if (!Array.isArray(inlineFiles)) return
  for (const file of files) if (!inlineFiles.includes(file)) inlineFiles.push(file, pathToFileURL(file).href)
}

/** Adds our reporter, once for all projects. Vitest makes the reporters from this list after `configureVitest`. */
export function wireReporter(vitest: Vitest, session: Session): void {
  if (session.hasReporter) return
  session.hasReporter = true
  const { mode, benchmark, reporters } = vitest.config
  const reporter = new ModelCacheReporter()
  reporters.push(reporter as never)
  // `vitest bench` has its own list of reporters (Vitest 4).
  if (mode === 'benchmark' && benchmark) benchmark.reporters = [benchmark.reporters, reporter].flat() as never
}

function ownFile(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
