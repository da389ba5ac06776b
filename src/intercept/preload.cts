// Loaded by `--require` before everything else: in the workers by Vitest's `execArgv`, in the processes that tests start by
// NODE_OPTIONS. It must cost nothing where no model is asked for, and never fail: what it can't do is left undone. Plain
// CommonJS that also an old Node.js reads; on one that the engine does not run on it does nothing (`build.ts`).
import fs = require('node:fs')
import path = require('node:path')
import url = require('node:url')

import threads = require('node:worker_threads')

import extend = require('./extend-transformers.cts')
import notice = require('./notice-http.cts')
import sources = require('./patch-sources.cts')

type Fetch = typeof fetch

interface Bridge {
  bases: string[]
  exists(path: string): boolean
  locate(...args: unknown[]): Promise<unknown>
  loaded(file: string, started: number): void
  /** Gives what is to be called when a runtime has loaded the file. */
  loading(file: string): () => void
  fetch(
    original: Fetch,
    input: Parameters<Fetch>[0],
    init?: Parameters<Fetch>[1],
    answers?: typeof Response,
  ): Promise<Response>
  /** In unit mode only: the mocks that `attach-mocks.cts` puts in place of models. */
  mocks?(): Promise<unknown>
  /** In unit mode only: throws. `asked` is what would be read. */
  refuse?(asked: string): Promise<unknown>
}

// An environment may put a window's clock in its place.
const now = performance.now.bind(performance)
const started = now()

const BRIDGE = Symbol.for('vitest-model-cache.intercept')
const WRAPPED = Symbol.for('vitest-model-cache.wrapped')
const GLOBALS = Symbol.for('vitest-model-cache.globals')
const PRELOAD = Symbol.for('vitest-model-cache.preload')
const OWN_TIME = Symbol.for('vitest-model-cache.own-time')

/**
 * Puts a `fetch` in place that answers the Hub's URLs from the cache once there is a bridge, and costs others nothing.
 * `answers` is the class that callers know a response by, where it is not Node.js's own.
 */
function wrapFetch(global: { fetch?: Fetch }, answers?: typeof Response): void {
  const original = global.fetch
  if (typeof original !== 'function' || Reflect.has(original, WRAPPED)) return
  const wrapped = {
    fetch(this: unknown, input: Parameters<Fetch>[0], init?: Parameters<Fetch>[1]): Promise<Response> {
      const bridge: Bridge | undefined = Reflect.get(process, BRIDGE)
      if (bridge !== undefined) {
        const url = extend.addressOf(input)
        if (typeof url === 'string')
          // Hosts may be written in any letters.
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

// As `KEPT` in `platform/originals.ts`, which says why no others.
const KEPT = (
  'AbortController Date fetch performance setImmediate setTimeout clearTimeout setInterval clearInterval ' +
  'Float32Array Float64Array Float16Array Int8Array Int16Array Int32Array Uint8Array Uint8ClampedArray Uint16Array Uint32Array ' +
  'BigInt64Array BigUint64Array'
).split(' ')

/**
 * Those of Node.js itself, before an environment puts its window's in their place: once, as a vm context evaluates this file
 * again. As they are described: to read some of them loads them.
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

/** What is asked for when it is needed: to load it takes time that most processes can spare. */
type Open = () => Promise<Pick<Bridge, 'fetch' | 'locate' | 'loaded'>>
type OpenUnit = () => Promise<Pick<Bridge, 'fetch' | 'locate'> & { mocks: unknown; refuse(asked: string): unknown }>

/**
 * Makes a bridge the one that this process, or this worker, is answered by; with no bases, none. What can't be loaded answers
 * nothing: the request goes where it was going.
 */
function installBridge(bases: string[], open: Open): void {
  const opened = () => open().catch(() => undefined)
  const bridge: Bridge = {
    bases,
    exists: fs.existsSync,
    fetch: (original, ...args) =>
      opened().then((bridge) => (bridge ? bridge.fetch(original, ...args) : original(args[0], args[1]))),
    loaded: (...args) => void opened().then((bridge) => bridge?.loaded(...args)),
    loading: (file) => {
      const began = now()
      return () => bridge.loaded(file, began)
    },
    locate: (...args) => opened().then((bridge) => (bridge ? bridge.locate(...args) : undefined)),
  }
  Reflect.set(process, BRIDGE, bases.length > 0 ? bridge : undefined)
}

/** The bridge of unit mode. If it can't be loaded, what was asked for fails: it must not go to the Hub. */
function installUnitBridge(bases: string[], open: OpenUnit): void {
  const bridge: Bridge = {
    bases,
    exists: fs.existsSync,
    fetch: (...args) => open().then((unit) => unit.fetch(...args)),
    loaded: () => undefined,
    loading: () => () => undefined,
    locate: (...args) => open().then((unit) => unit.locate(...args)),
    mocks: () => open().then((unit) => unit.mocks),
    refuse: (asked) => open().then((unit) => unit.refuse(asked)),
  }
  Reflect.set(process, BRIDGE, bases.length > 0 ? bridge : undefined)
}

function openChild(settings: string): void {
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

/** Has the run's report name this process, which can't be served and downloads for itself. As `EventsFile` writes it. */
function tellUnserved(settings: string, reason: unknown): void {
  try {
    const { events, testFile } = JSON.parse(settings)
    const message = `A process that the test started can't use the cache, and downloads for itself: ${reason}`
    const error = { model: 'a child process', code: 'UNSERVED', message }
    fs.mkdirSync(path.dirname(events), { recursive: true, mode: 0o700 })
    fs.writeFileSync(
      `${events}-${process.pid}-${threads.threadId}.jsonl`,
      `${JSON.stringify({ testFile, requests: [], errors: [error], ownMs: performance.now() - started })}\n`,
      {
        mode: 0o600,
      },
    )
  } catch {
    // Where that can't be written nothing else of the process is counted either.
  }
}

const own = { wrapFetch, installBridge, installUnitBridge, importAsIs: sources.importAsIs }
// Found there by the worker (`run/preload.ts`): to import this file again would have Node.js read it as another kind of module.
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
  // A process that can't be served downloads for itself.
  if (process.env.VITEST_MODEL_CACHE_CHILD) tellUnserved(process.env.VITEST_MODEL_CACHE_CHILD, error)
}

export = own
