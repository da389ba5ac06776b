// The module with the hooks imports this module, and so do test files.
import type { ModelCacheOptions } from '../config/options.ts'
import { serveThisProcess } from './serve-this-process.ts'

export type { ModelCacheOptions } from '../config/options.ts'
export { models } from '../providers/models-of-test.ts'
export { defineProvider } from '../providers/slot.ts'

export interface GlobalHooks {
  /** Warms the cache, and lets the processes of the test files use it. Throws `INVALID_OPTION` and `INVALID_MODEL`. */
  globalSetup(): Promise<void>
  /** Shows the report, writes the run's record and maintains the cache. */
  globalTeardown(): Promise<void>
}

/** The hooks for `node --test --test-global-setup=<module>` (Node.js 24 and newer). The module exports both. */
export function withModelCache(options: ModelCacheOptions = {}): GlobalHooks {
  let end: (() => Promise<void>) | undefined
  return {
    async globalSetup() {
      const { startRun } = await import('./start-run.ts')
      end = await startRun(options)
    },
    async globalTeardown() {
      const ending = end
      // With `--test-force-exit`, Node.js calls this a second time.
      end = undefined
      await ending?.()
    },
  }
}

serveThisProcess()
