import { resolve as absolutePath } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { TestProject, Vitest } from 'vitest/node'
import type { Options } from '../config/options.ts'
import { PRELOAD } from '../run/preload.ts'
import type { Session } from '../run/session.ts'
import { allowOwnFolder } from './allow-own-folder.ts'
import ModelCacheReporter from './reporter.ts'

export const SETUP_FILE = ownFile('./setup-file.js')
export const GLOBAL_SETUP = ownFile('./global-setup.js')
const BROWSER_SETUP_FILE = ownFile('./browser/setup-file.js')
const ENVIRONMENTS = ['node', 'jsdom', 'happy-dom', 'edge-runtime']

/** Vitest has resolved its config already: paths have to be absolute. */
export function wireProject(project: TestProject, options: Options): void {
  const { config } = project
  const own = [SETUP_FILE, ...options.providers.map((path) => absolutePath(config.root, path))]
  const theirs = config.setupFiles.filter((file) => ![...own, BROWSER_SETUP_FILE].includes(file))
  config.setupFiles = [...(project.isBrowserEnabled() ? [BROWSER_SETUP_FILE] : own), ...theirs]
  const theirSetups = [config.globalSetup ?? []].flat().filter((file) => file !== GLOBAL_SETUP)
  config.globalSetup = [GLOBAL_SETUP, ...theirSetups]
  if (project.isBrowserEnabled()) return
  allowOwnFolder(project.vite.config)
  runForEachFile(project, own)
  // In the workers alone, never in the main process. What the `config` hook gives does not come to a project with `extends`
  // (Vitest 5).
  if (options.intercept.length > 0) config.execArgv = [...(config.execArgv ?? []), '--require', PRELOAD]
  // A custom environment of the user's is left alone: there the setup file serves the models.
  if (ENVIRONMENTS.includes(config.environment))
    config.environment = ownFile(`./environments/${config.environment}.js`) as typeof config.environment
}

/**
 * Vitest evaluates for each test file what stood among the setup files when the config was resolved. Those of the `config` hook do
 * not come to a project with `extends` (Vitest 5): without this, only the first file of a worker that is not isolated would have
 * models there. A Vitest that keeps the list elsewhere is left as it is.
 */
function runForEachFile(project: TestProject, files: string[]): void {
  const { inlineFiles }: { inlineFiles?: unknown } = Object(
    Reflect.get(Object(Reflect.get(project, '_resolver')), 'options'),
  )
  if (!Array.isArray(inlineFiles)) return
  for (const file of files) if (!inlineFiles.includes(file)) inlineFiles.push(file, pathToFileURL(file).href)
}

/** Reporters are made after `configureVitest`, from this list. Several projects share one. */
export function wireReporter(vitest: Vitest, session: Session): void {
  if (session.hasReporter) return
  session.hasReporter = true
  const { mode, benchmark, reporters } = vitest.config
  const reporter = new ModelCacheReporter()
  reporters.push(reporter as never)
  // `vitest bench` has a list of its own (Vitest 4).
  if (mode === 'benchmark' && benchmark) benchmark.reporters = [benchmark.reporters, reporter].flat() as never
}

function ownFile(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
