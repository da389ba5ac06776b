import type { ModelCacheOptions } from '../config/options.ts'

export interface GlobalHooks {
  /** Warms the cache, and lets the processes of the test files use it. */
  globalSetup(): Promise<void>
  /** Shows the report, writes the run's record and maintains the cache. */
  globalTeardown(): Promise<void>
}

/**
 * The hooks of a module for `node --test --test-global-setup=<module>` (Node.js 24 and newer). The module exports both.
 * `globalSetup` throws `INVALID_OPTION` and `INVALID_MODEL`.
 */
export function withModelCache(options: ModelCacheOptions = {}): GlobalHooks {
  // The hooks are imported late: test files may import the module too.
  let end: Promise<() => Promise<void>> | undefined
  return {
    async globalSetup() {
      end = import('./start-run.ts').then(({ startRun }) => startRun(options))
      await end
    },
    async globalTeardown() {
      const ending = end
      // With `--test-force-exit`, Node.js calls this a second time.
      end = undefined
      await (await ending)?.()
    },
  }
}
