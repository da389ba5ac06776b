/// <reference types="vitest/config" />
import type { Vite } from 'vitest/node'
import { type ModelCacheOptions, type Options, resolveOptions } from '../config/options.ts'
import { measured } from '../platform/own-time.ts'
import { openSession, setUpProject } from '../run/session.ts'
import { allowOwnFolder } from './allow-own-folder.ts'
import { PREFIX } from './browser/channel.ts'
import { GLOBAL_SETUP, SETUP_FILE, wireProject, wireReporter } from './wire-project.ts'

/** The Vite plugin; `api.options` are the options as they were resolved. */
export type ModelCachePlugin = Vite.Plugin & { api: { options: Options } }

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
    config({ test }) {
      // Files that stand here are transformed and run for each test file. What is added later would be imported by
      // Node.js, once a worker: no second file of a worker that is not isolated would get models.
      const setupFiles = [SETUP_FILE, ...api.options.providers]
      // Vitest runs the global setup of the root config also where all tests are in projects: see `adopt-projects.ts`.
      return { test: { setupFiles, ...(test?.projects && { globalSetup: [GLOBAL_SETUP] }) } }
    },
    configResolved(config) {
      const { root, test } = config
      allowOwnFolder(config)
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
