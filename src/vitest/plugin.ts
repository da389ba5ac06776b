/// <reference types="vitest/config" />
import type { Vite } from 'vitest/node'
import { withMessageOnly } from '../config/message-only.ts'
import { type ModelCacheOptions, type Options, resolveOptions } from '../config/options.ts'
import { measured } from '../platform/own-time.ts'
import { addTestProject } from './add-project.ts'
import { allowOwnFolder } from './allow-own-folder.ts'
import { PREFIX } from './browser/channel.ts'
import { openSession } from './session.ts'
import { GLOBAL_SETUP, SETUP_FILE, wireProject, wireReporter } from './wire-project.ts'

/** The Vite plugin. `api.options` holds the resolved options. */
export type ModelCachePlugin = Vite.Plugin & { api: { options: Options } }

/**
 * The plugin: warms the cache before the tests, gives each test `models`, and reports hits, misses and times.
 * Throws `INVALID_OPTION` and `INVALID_MODEL`.
 */
export function modelCache(options: ModelCacheOptions = {}): ModelCachePlugin {
  const resolve = (root: string, runRoot = root) =>
    measured('options', () => withMessageOnly(() => resolveOptions(options, process.env, root, runRoot)))
  const api = { options: resolve(process.cwd()) }
  let rootOfApi: string | undefined
  return {
    name: 'vitest-model-cache',
    api,
    config({ test }) {
      // Vitest transforms the setup files that are named here, and runs them for each test file. Node.js imports a setup
      // file that is added later, once for each worker: with --no-isolate the second test file would get no models.
      const setupFiles = [SETUP_FILE, ...api.options.providers]
      // Vitest calls the global setup of the root config also if all tests are in projects: see `adopt-projects.ts`.
      return { test: { setupFiles, ...(test?.projects && { globalSetup: [GLOBAL_SETUP] }) } }
    },
    configResolved(config) {
      const { root, test } = config
      allowOwnFolder(config)
      api.options = resolve(root)
      rootOfApi = root
      // These files do not run in a browser, and Vite would scan them for dependencies to bundle.
      const own = [SETUP_FILE, ...api.options.providers]
      if (test?.browser?.enabled) test.setupFiles = [test.setupFiles ?? []].flat().filter((file) => !own.includes(file))
    },
    configureServer(server) {
      // Added here, ours runs before Vite's own middlewares. Vitest makes the browser's server with another instance of this
      // plugin, so nothing of this instance can be used.
      server.middlewares.use((request, response, next) => {
        if (!request.url?.startsWith(PREFIX)) return next()
        import('./browser/middleware.ts')
          .then(({ answerBrowser }) => answerBrowser(server, request, response))
          .catch(next)
      })
    },
    configureVitest({ vitest, project }) {
      const { root } = project.config
      const isResolved = root === rootOfApi && root === vitest.config.root
      const resolved = isResolved ? api.options : resolve(root, vitest.config.root)
      const wire = () => {
        const session = openSession(vitest)
        addTestProject(session, project, resolved)
        wireProject(project, resolved)
        wireReporter(vitest, session)
      }
      measured('wiring', () => withMessageOnly(wire))
    },
  }
}
