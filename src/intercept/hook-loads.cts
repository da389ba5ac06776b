// Uses Node.js's own hook for sources (`module.registerHooks`), where the hook can't break the process. Without the hook,
// `patch-sources.cts` still changes sources that are read by `fs`, and `fetch` answers the others.
import Module = require('node:module')

type NextLoad = (address: string, context: unknown) => { source?: unknown }
type Load = (address: string, context: unknown, nextLoad: NextLoad) => { source?: unknown }

interface Hooks {
  deregister(): void
}

interface HookingModule {
  registerHooks?(hooks: { load: Load }): Hooks
  register?(...args: unknown[]): unknown
  syncBuiltinESMExports(): void
}

// Of Node.js 22.15 to 22.22.2, 23, 24.0 to 24.11 and 25.0, `registerHooks` and `register` exclude each other: the chain of
// hooks refuses the `source: null` that a loader of `register` gives for CommonJS, and the import fails with
// ERR_INVALID_RETURN_PROPERTY_VALUE (mended by `validateLoadSloppy` in lib/internal/modules/esm/loader.js). This can go when
// `engines` leaves these versions out.
const EXCLUSIVE = /^(22\.(1[5-9]|2[01])\.|22\.22\.[0-2]$|23\.|24\.([0-9]|1[01])\.|25\.0\.)/

/** Has `load` called for each source that Node.js loads. Does nothing where that could break the process. */
function hookLoads(load: Load): void {
  const own: HookingModule = Module
  if (own.registerHooks === undefined || isHooksThread()) return
  const isExclusive = EXCLUSIVE.test(process.versions.node)
  if (isExclusive && mayHaveLoader()) return
  const hooks = own.registerHooks({ load })
  if (isExclusive) beforeRegister(own, () => hooks.deregister())
}

/**
 * True in the thread in which Node.js runs the loaders of `module.register()`. Up to 24.14 a hook there fails with "loadSync is not
 * a function". A main thread is told from a worker by `process.chdir`, which is disabled in workers: loading worker_threads takes
 * 2 ms.
 */
function isHooksThread(): boolean {
  if (Reflect.get(process.chdir, 'disabled') !== true) return false
  const threads: { isInternalThread?: boolean } = require('node:worker_threads')
  // Undefined in some versions of Node.js 23, which have the hook and not this flag.
  return threads.isInternalThread !== false
}

/** True if a loader may exist already: by an option, or by a module that was preloaded before this one. */
function mayHaveLoader(): boolean {
  const options = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ')
  if (/--(experimental-)?loader\b/.test(options)) return true
  const harmless = /[\\/](vitest-model-cache[\\/]dist[\\/]intercept[\\/]preload|vitest[\\/]suppress-warnings)\.cjs$/
  return Object.keys(require.cache).some((path) => path !== __filename && !harmless.test(path))
}

/** Calls `act` before the first `module.register()` of this thread. */
function beforeRegister(own: HookingModule, act: () => void): void {
  const { register } = own
  if (register === undefined) return
  own.register = (...args) => {
    own.register = register
    own.syncBuiltinESMExports()
    act()
    return register(...args)
  }
  own.syncBuiltinESMExports()
}

export = { hookLoads }
