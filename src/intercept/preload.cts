// Loaded by `--require` before all other code: in workers by Vitest's `execArgv`, in child processes of tests by NODE_OPTIONS. It
// must be fast for processes that ask for no model, and must never fail: a step that is not possible is skipped. It is CommonJS
// that an old Node.js can read. Where the engine does not run it does nothing (`build.ts`).
import fs = require('node:fs')
import path = require('node:path')
import url = require('node:url')

import compileCache = require('./compile-cache.cts')
import transformers = require('./transformers-source.cts')
import notice = require('./notice-http.cts')
import sources = require('./patch-sources.cts')

type Fetch = typeof fetch
type Asked = { model: unknown; options: object | undefined; version: string | undefined; runs?: unknown }
type Create = (model: unknown, options: object | undefined) => Promise<unknown>
type CreateSession = (asked: Asked, create: Create) => Promise<unknown>

interface Bridge {
  bases: string[]
  exists(path: string): boolean
  locate(...args: unknown[]): Promise<unknown>
  /** The size of a file in a snapshot folder. Undefined for any other file. */
  sizeOf(path: string): number | undefined
  createSession: CreateSession
  fetch(
    original: Fetch,
    input: Parameters<Fetch>[0],
    init?: Parameters<Fetch>[1],
    answers?: typeof Response,
  ): Promise<Response>
  /** Only in unit mode: loads the mocks that `attach-mocks.cts` calls. */
  mocks?(): Promise<unknown>
  /** Only in unit mode: throws. `asked` names the file or the request. */
  refuse?(asked: string): Promise<unknown>
}

// As they are before a suite spies on them.
const { existsSync, statSync } = fs
// Bound before an environment replaces it with the clock of its window.
const now = performance.now.bind(performance)
const started = now()

const BRIDGE = Symbol.for('vitest-model-cache.intercept')
const WRAPPED = Symbol.for('vitest-model-cache.wrapped')
const GLOBALS = Symbol.for('vitest-model-cache.globals')
const PRELOAD = Symbol.for('vitest-model-cache.preload')
const OWN_TIME = Symbol.for('vitest-model-cache.own-time')

/**
 * Replaces `fetch` with one that has the bridge answer URLs of the Hub. Without a bridge, and for other URLs, it calls the original.
 * `answers` is the class of the responses, where it is not Node.js's own.
 */
function wrapFetch(global: { fetch?: Fetch }, answers?: typeof Response): void {
  const original = global.fetch
  if (typeof original !== 'function' || Reflect.has(original, WRAPPED)) return
  const wrapped = {
    fetch(this: unknown, input: Parameters<Fetch>[0], init?: Parameters<Fetch>[1]): Promise<Response> {
      const bridge: Bridge | undefined = Reflect.get(process, BRIDGE)
      if (bridge !== undefined) {
        const url = transformers.addressOf(input)
        if (typeof url === 'string')
          // Host names are case-insensitive.
          for (const base of bridge.bases)
            if (url.startsWith(base) || url.slice(0, base.length).toLowerCase() === base)
              return bridge.fetch((...args) => Reflect.apply(original, global, args), input, init, answers)
      }
      // biome-ignore lint/complexity/noArguments: as it came
      return Reflect.apply(original, this === undefined ? global : this, arguments)
    },
  }.fetch
  Object.defineProperty(wrapped, WRAPPED, { value: original })
  global.fetch = wrapped
}

// The same list as `KEPT` in `platform/originals.ts`, which has the reasons.
const KEPT = (
  'AbortController Date fetch performance setImmediate setTimeout clearTimeout setInterval clearInterval ' +
  'Float32Array Float64Array Float16Array Int8Array Int16Array Int32Array Uint8Array Uint8ClampedArray Uint16Array Uint32Array ' +
  'BigInt64Array BigUint64Array'
).split(' ')

/**
 * Keeps the globals of Node.js before an environment replaces them with those of its window. It keeps their descriptors, because
 * reading some of them loads modules. It runs once in each process: a vm context evaluates this file again.
 */
function keepGlobals(): void {
  if (Reflect.has(process, GLOBALS)) return
  const host: object = Reflect.get(Buffer, 'constructor')('return globalThis')()
  const kept: Record<string, PropertyDescriptor> = {}
  for (const name of KEPT) {
    const descriptor = Object.getOwnPropertyDescriptor(host, name)
    if (descriptor) kept[name] = descriptor
  }
  Object.defineProperty(process, GLOBALS, { value: kept })
}

/** See `sizeOf`. Files of other folders are left to the loader: they can change while it reads them. */
function sizeInSnapshot(path: string): number | undefined {
  if (!/[\\/]models--[^\\/]+[\\/]snapshots[\\/]/.test(path)) return undefined
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() ? stats.size : undefined
}

/** Loads the bridge. Called with the first request: most processes never need it. */
type Open = () => Promise<Pick<Bridge, 'fetch' | 'locate' | 'createSession'>>
type OpenUnit = () => Promise<Pick<Bridge, 'fetch' | 'locate'> & { mocks: unknown; refuse(asked: string): unknown }>

/**
 * Installs the bridge of this process or worker. Without bases there is none. If the bridge can't be loaded, requests are sent as they
 * would be without us.
 */
function installBridge(bases: string[], open: Open): void {
  const opened = () => open().catch(() => undefined)
  const bridge: Bridge = {
    bases,
    exists: existsSync,
    sizeOf: sizeInSnapshot,
    fetch: (original, ...args) =>
      opened().then((bridge) => (bridge ? bridge.fetch(original, ...args) : original(args[0], args[1]))),
    createSession: (asked, create) =>
      opened().then((bridge) => (bridge ? bridge.createSession(asked, create) : create(asked.model, asked.options))),
    locate: (...args) => opened().then((bridge) => (bridge ? bridge.locate(...args) : undefined)),
  }
  Reflect.set(process, BRIDGE, bases.length > 0 ? bridge : undefined)
}

/** Installs the bridge of unit mode. If it can't be loaded, requests fail: none may reach the Hub. */
function installUnitBridge(bases: string[], open: OpenUnit): void {
  const bridge: Bridge = {
    bases,
    exists: existsSync,
    sizeOf: () => undefined,
    fetch: (...args) => open().then((unit) => unit.fetch(...args)),
    createSession: (asked, create) => create(asked.model, asked.options),
    locate: (...args) => open().then((unit) => unit.locate(...args)),
    mocks: () => open().then((unit) => unit.mocks),
    refuse: (asked) => open().then((unit) => unit.refuse(asked)),
  }
  Reflect.set(process, BRIDGE, bases.length > 0 ? bridge : undefined)
}

/**
 * Settings for the processes in which `node --test` runs one test file each name no test file. There it is what the process runs, and
 * the processes that it starts report for the same file.
 */
function withTestFile(settings: string): string {
  const parsed = JSON.parse(settings)
  if (parsed.testFile !== '') return settings
  const named = JSON.stringify({ ...parsed, testFile: process.argv[1] || process.cwd() })
  process.env.VITEST_MODEL_CACHE_CHILD = named
  return named
}

function openChild(given: string): void {
  const settings = withTestFile(given)
  const { bases, mode } = JSON.parse(settings)
  wrapFetch(globalThis)
  if (mode === 'unit') {
    const load = () => import(url.pathToFileURL(require.resolve('./unit.js')).href)
    installUnitBridge(bases, () => sources.importAsIs(load).then((unit) => unit.openUnit({ bases })))
    return
  }
  let opened: ReturnType<Open> | undefined
  const load = () => import(url.pathToFileURL(require.resolve('./child.js')).href)
  installBridge(bases, () => {
    if (opened === undefined) {
      const started = performance.now()
      opened = sources.importAsIs(load).then((child) => child.openChild(settings, started))
      opened.catch((error) => tellUnserved(settings, error))
    }
    return opened
  })
}

/** Writes, in the format of `EventsFile`, that this process can't use the cache. The report of the run then names it. */
function tellUnserved(settings: string, reason: unknown): void {
  try {
    // Loading worker_threads takes 3 ms, and nearly no process comes here.
    const { threadId }: typeof import('node:worker_threads') = require('node:worker_threads')
    const { events, testFile } = JSON.parse(settings)
    const message = `A process that the test started can't use the cache, and downloads for itself: ${reason}`
    const error = { model: 'a child process', code: 'UNSERVED', message }
    fs.mkdirSync(path.dirname(events), { recursive: true, mode: 0o700 })
    fs.writeFileSync(
      `${events}-${process.pid}-${threadId}.jsonl`,
      `${JSON.stringify({ testFile, requests: [], errors: [error], ownMs: performance.now() - started })}\n`,
      {
        mode: 0o600,
      },
    )
  } catch {
    // If this can't be written, no request of the process could be counted either.
  }
}

/** Writes the compiled code of modules that this worker was the first to load. Replaced where a compile cache is used. */
let keepCompiledCode = (): void => undefined
try {
  keepCompiledCode = compileCache.useCompileCache() ?? keepCompiledCode
} catch {
  // This process compiles all its modules.
}

const { importAsIs, extended } = sources
const { isTransformers } = transformers
const own = { wrapFetch, installBridge, installUnitBridge, importAsIs, keepCompiledCode, isTransformers, extended }
// The worker finds it there (`run/preload.ts`). An import of this file would load a second copy, as another kind of module.
Reflect.set(process, PRELOAD, own)

try {
  const settings = process.env.VITEST_MODEL_CACHE_CHILD
  keepGlobals()
  notice.noticeHttp()
  sources.patchSources()
  if (settings) openChild(settings)
  if (!Reflect.has(process, OWN_TIME))
    Reflect.set(process, OWN_TIME, { parts: { preload: performance.now() - started }, told: 0 })
} catch (error) {
  // This process can't use the cache, and sends its requests to the Hub.
  if (process.env.VITEST_MODEL_CACHE_CHILD) tellUnserved(process.env.VITEST_MODEL_CACHE_CHILD, error)
}

export = own
