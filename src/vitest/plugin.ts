/// <reference types="vitest/config" />
import { resolve as absolutePath } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { TestProject, Vite, Vitest } from 'vitest/node'
import { type ModelCacheOptions, type Options, resolveOptions } from '../config/options.ts'
import { measured } from '../platform/own-time.ts'
import { PREFIX } from './browser/channel.ts'
import { PRELOAD } from './preload.ts'
import ModelCacheReporter from './reporter.ts'
import { openSession, type Session, setUpProject } from './session.ts'

/** The Vite plugin; `api.options` are the options as they were resolved. */
export type ModelCachePlugin = Vite.Plugin & { api: { options: Options } }

const SETUP_FILE = ownFile('./setup-file.js')
const BROWSER_SETUP_FILE = ownFile('./browser/setup-file.js')
const ENVIRONMENTS = ['node', 'jsdom', 'happy-dom', 'edge-runtime']

/**
 * The plugin: warms the cache before the tests, gives each test `models`, and reports hits, misses and times.
 * Throws `INVALID_OPTION` and `INVALID_MODEL`.
 */
export function modelCache(options: ModelCacheOptions = {}): ModelCachePlugin {
  const resolve = (root: string) => measured('options', () => resolveOptions(options, process.env, root))
  const api = { options: resolve(process.cwd()) }
  let rootOfApi: string | undefined
  return {
    name: 'vitest-model-cache',
    api,
    config() {
      // Files that stand here are transformed and run for each test file. What is added later would be imported by
      // Node.js, once a worker: no second file of a worker that is not isolated would get models.
      return { test: { setupFiles: [SETUP_FILE, ...api.options.providers] } }
    },
    configResolved({ root, test }) {
      api.options = resolve(root)
      rootOfApi = root
      // None of it runs in a browser, and Vite would look through it for what to bundle.
      const own = [SETUP_FILE, ...api.options.providers]
      if (test?.browser?.enabled) test.setupFiles = [test.setupFiles ?? []].flat().filter((file) => !own.includes(file))
    },
    configureServer(server) {
      // Before Vite's own. Vitest makes the browser's server with another instance of this plugin.
      server.middlewares.use((request, response, next) => {
        if (!request.url?.startsWith(PREFIX)) return next()
        import('./browser/middleware.ts')
          .then(({ answerBrowser }) => answerBrowser(server, request, response))
          .catch(next)
      })
    },
    configureVitest({ vitest, project }) {
      const resolved = project.config.root === rootOfApi ? api.options : resolve(project.config.root)
      measured('wiring', () => {
        const session = openSession(vitest)
        setUpProject(session, project, resolved)
        wireProject(project, resolved)
        wireReporter(vitest, session)
      })
    },
  }
}

/** Vitest has resolved its config already: paths have to be absolute. */
function wireProject(project: TestProject, options: Options): void {
  const { config } = project
  const own = [SETUP_FILE, ...options.providers.map((path) => absolutePath(config.root, path))]
  const theirs = config.setupFiles.filter((file) => ![...own, BROWSER_SETUP_FILE].includes(file))
  config.setupFiles = [...(project.isBrowserEnabled() ? [BROWSER_SETUP_FILE] : own), ...theirs]
  config.globalSetup = [ownFile('./global-setup.js'), ...[config.globalSetup ?? []].flat()]
  if (project.isBrowserEnabled()) return
  runForEachFile(project, own)
  // In the workers alone, never in the main process. What the `config` hook gives does not come to a project with `extends`
  // (Vitest 5).
  const isIntercepting = options.intercept.length > 0 && options.mode === 'integration'
  if (isIntercepting) config.execArgv = [...(config.execArgv ?? []), '--require', PRELOAD]
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

/** Reporters are made after this hook, from this list. Several projects share one. */
function wireReporter(vitest: Vitest, session: Session): void {
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
