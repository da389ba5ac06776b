import { setMaxListeners } from 'node:events'

// The engine must not be affected by what a suite does to the globals. A suite may fake timers, set the clock to 0, stub
// fetch or spy on process.kill. Environments replace fetch and timers of Node.js by those of a window. A vm context has
// globals of its own. So the first copy of this module that a process loads takes what the engine needs from Node.js's own
// realm, once. Our environment loads it before any user code. Where a docblock replaces our environment, the preload has
// kept the original globals.
//
// File functions need no copy: the engine imports them by name from `node:fs`, and a spy on the `fs` object does not change
// imported bindings.

export interface Originals {
  /** Milliseconds since the epoch. */
  now: () => number
  /** Milliseconds on a clock that never jumps, for durations. */
  monotonic: () => number
  /** Shows a span of time (by `monotonic`) to profilers and performance observers, without leaving it in the timeline. */
  showSpan: (name: string, start: number, end: number) => void
  setTimeout: typeof setTimeout
  clearTimeout: typeof clearTimeout
  setInterval: typeof setInterval
  clearInterval: typeof clearInterval
  setImmediate: typeof setImmediate
  fetch: typeof fetch
  AbortController: typeof AbortController
  Date: typeof Date
  /** Tests whether a process is alive. With a spy's answer, the engine could take over a lock of a live process. */
  kill: typeof process.kill
  pid: number
}

const KEY = Symbol.for('vitest-model-cache.originals')

// Property that `intercept/preload.cts` sets on its own fetch; its value is the fetch that it replaced.
const WRAPPED = Symbol.for('vitest-model-cache.wrapped')

/** The global object of Node.js's own realm, also when called in a vm context: `Buffer` there comes from the outer realm. */
export function hostGlobal(): typeof globalThis {
  host ??= Reflect.get(Buffer, 'constructor')('return globalThis')() as typeof globalThis
  return host
}

// Each call of the constructor compiles code.
let host: typeof globalThis | undefined

const GLOBALS = Symbol.for('vitest-model-cache.globals')

// Native code such as onnxruntime identifies its input by these classes.
export const TYPED_ARRAYS = [
  'Float32Array',
  'Float64Array',
  'Float16Array',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Uint32Array',
  'BigInt64Array',
  'BigUint64Array',
]

// `intercept/preload.cts` has the same list and is loaded before this file. The list is explicit because reading the property
// descriptor of some other globals makes Node.js load code: `Response` loads undici (25 to 40 ms in Node.js 22), and
// the stream classes and `Crypto` load theirs.
export const KEPT = [
  ...['AbortController', 'Date', 'fetch', 'performance', 'setImmediate'],
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  ...TYPED_ARRAYS,
]

type GlobalOf<Name> = Name extends keyof typeof globalThis ? (typeof globalThis)[Name] : unknown

/**
 * A global of Node.js's own realm. For names in `KEPT` it is the original: the value at the time of the preload, before any
 * environment, or else at the time when this module was loaded. For other names it is the present value; use it only for
 * globals that nobody replaces.
 */
export function hostValue<Name extends string>(name: Name): GlobalOf<Name> {
  const host = hostGlobal()
  const kept = keptGlobals(host)[name]
  if (!kept) return Reflect.get(host, name)
  const { get, value } = kept
  if (get === undefined) return value
  // Node.js loads some globals when their getter is first called. The getter then overwrites the present value, so that
  // value is restored below.
  const present = Object.getOwnPropertyDescriptor(host, name)
  const loaded = Reflect.apply(get, host, [])
  if (present) Object.defineProperty(host, name, present)
  return loaded
}

function keptGlobals(host: typeof globalThis): Record<string, PropertyDescriptor> {
  const kept: Record<string, PropertyDescriptor> | undefined = Reflect.get(host.process, GLOBALS)
  if (kept) return kept
  const described = KEPT.flatMap((name) => {
    const descriptor = Object.getOwnPropertyDescriptor(host, name)
    return descriptor ? [[name, descriptor] as const] : []
  })
  const found = Object.fromEntries(described)
  Object.defineProperty(host.process, GLOBALS, { value: found })
  return found
}

let responseClass: Promise<typeof Response> | undefined

/** The `Response` class of Node.js's own fetch. */
export function hostResponse(): Promise<typeof Response> {
  responseClass ??= originals.fetch('data:,').then((response) => response.constructor as typeof Response)
  return responseClass
}

/**
 * The `Response` class of an environment, if it may differ from Node.js's: a window has its own, and so may a vm context.
 * Elsewhere undefined, without reading the global: reading it would load undici.
 */
export function foreignResponse(global: typeof globalThis): typeof Response | undefined {
  const isOfNode = global === hostGlobal() && !('window' in global)
  return isOfNode ? undefined : global.Response
}

export const originals: Originals = takeOriginals()

function takeOriginals(): Originals {
  const host: typeof globalThis & { [KEY]?: Originals } = hostGlobal()
  const performance = hostValue('performance')
  const measure = performance.measure.bind(performance)
  const clearMeasures = performance.clearMeasures.bind(performance)
  host[KEY] ??= {
    now: hostValue('Date').now.bind(hostValue('Date')),
    monotonic: performance.now.bind(performance),
    showSpan(name, start, end) {
      measure(name, { start, end })
      clearMeasures(name)
    },
    setTimeout: hostValue('setTimeout'),
    clearTimeout: hostValue('clearTimeout'),
    setInterval: hostValue('setInterval'),
    clearInterval: hostValue('clearInterval'),
    setImmediate: hostValue('setImmediate'),
    // In a child process of a test, our own fetch is installed before the engine is loaded. The engine needs the one that it
    // replaced, or its requests would come back to itself.
    fetch: Reflect.get(hostValue('fetch'), WRAPPED) ?? hostValue('fetch'),
    AbortController: hostValue('AbortController'),
    Date: hostValue('Date'),
    kill: host.process.kill.bind(host.process),
    pid: host.process.pid,
  }
  return host[KEY]
}

/** The present moment as an ISO 8601 text, from the original clock. */
export function isoNow(): string {
  return new originals.Date(originals.now()).toISOString()
}

/** Resolves after `ms` milliseconds of real time; rejects with the signal's reason when it aborts first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      originals.clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = originals.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

// Node.js fires a timer with a longer delay at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Runs `work` with a signal. It aborts with the caller's signal, or after `ms` milliseconds with the error that `late`
 * returns. Without `ms` there is no time limit.
 */
export async function withTimeLimit<T>(
  ms: number | undefined,
  signal: AbortSignal | undefined,
  late: (ms: number) => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { controller, unlink } = linkedController(signal)
  const onLate = () => controller.abort(late(ms ?? 0))
  const timer = ms === undefined ? undefined : originals.setTimeout(onLate, Math.min(ms, LONGEST_TIMER_MS))
  try {
    return await work(controller.signal)
  } finally {
    originals.clearTimeout(timer)
    unlink()
  }
}

const MOST_LISTENERS = 10_000

/** Raises the listener limit of a signal: each file and connection listens, and Node.js warns from the eleventh listener on. */
export function letManyListen(signal: AbortSignal): void {
  try {
    // Not 0 (no limit): getMaxListeners of Node.js 20 then fails.
    setMaxListeners(MOST_LISTENERS, signal)
  } catch {
    // The signal belongs to a window environment, which has no listener limit.
  }
}

/** A controller that aborts when the signal does, until it is unlinked. */
export function linkedController(signal?: AbortSignal): { controller: AbortController; unlink: () => void } {
  const controller = new originals.AbortController()
  letManyListen(controller.signal)
  const onAbort = () => controller.abort(signal?.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return { controller, unlink: () => signal?.removeEventListener('abort', onAbort) }
}
