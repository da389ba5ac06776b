// Has Node.js keep the compiled code of the modules that a worker loads. The main process chooses the folder, and passes it in an option
// that Node.js itself ignores (`vitest/keep-compiled-code.ts`): a variable would reach the child processes of the tests.
import Module = require('node:module')

interface CachingModule {
  isBuiltin(name: string): boolean
  /** Since Node.js 22.8. */
  enableCompileCache?(folder: string): unknown
  /** Since Node.js 22.10. */
  flushCompileCache?(): void
}

const OPTION = '--disable-warning=vitest-model-cache.compile-cache:'

/**
 * Uses the compile cache, if this is a worker whose main process chose a folder. Returns the function that writes what is new to the
 * disk. Must be called before other modules are loaded.
 */
function useCompileCache(): (() => void) | undefined {
  const { enableCompileCache, flushCompileCache }: CachingModule = Module
  const index = process.execArgv.findIndex((option) => option.startsWith(OPTION))
  if (index < 0 || enableCompileCache === undefined || flushCompileCache === undefined) return undefined
  // A process that a test forks gets this list. It may be of an older Node.js, which refuses the option.
  const [option = ''] = process.execArgv.splice(index, 1)
  // A thread that a test starts has the options of the worker all the same.
  if (process.env.VITEST !== 'true' || process.env.VITEST_MODEL_CACHE_CHILD) return undefined
  enableCompileCache(option.slice(OPTION.length))
  return flushCompileCache
}

export = { useCompileCache }
