import { setMaxListeners } from 'node:events'

// A suite may fake timers, set the clock to 0, stub fetch or spy on process.kill; environments put a window's fetch and timers in place of
// Node.js's; a vm context has none of its own that Node.js knows. None of that may reach the engine. So what it needs is
// taken once a process, from Node.js's own realm, by whichever copy of this module is loaded first: that is the
// environment's, before any user code. Where a docblock replaced our environment, the preload has what was there before.
//
// File functions need no copy here: the engine imports them by name from `node:fs`, and a spy on the `fs` object does
// not change such bindings.

export interface Originals {
  /** Milliseconds since the epoch. */
  now: () => number
  /** Milliseconds on a clock that never jumps, for durations. */
  monotonic: () => number
  /** Shows a span of time, of the clock `monotonic`, to who observes or profiles the process, and keeps it nowhere. */
  showSpan: (name: string, start: number, end: number) => void
  setTimeout: typeof setTimeout
  clearTimeout: typeof clearTimeout
  setInterval: typeof setInterval
  clearInterval: typeof clearInterval
  setImmediate: typeof setImmediate
  fetch: typeof fetch
  AbortController: typeof AbortController
  Date: typeof Date
  /** Asks whether a process lives: one that is told so by a spy would take what a live one holds. */
  kill: typeof process.kill
  pid: number
}

const KEY = Symbol.for('vitest-model-cache.originals')

// What `intercept/preload.cts` marks its own fetch with; the value is the one behind it.
const WRAPPED = Symbol.for('vitest-model-cache.wrapped')

/** The global object of Node.js itself, also from within a vm context: `Buffer` is shared with those. */
export function hostGlobal(): typeof globalThis {
  return Reflect.get(Buffer, 'constructor')('return globalThis')()
}

const GLOBALS = Symbol.for('vitest-model-cache.globals')

// By these, native code tells what it is given.
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

// Also in `intercept/preload.cts`, which is there before this. By name: for who only describes its Response, Node.js 22 loads undici (25 to
// 40 ms), and streams and Crypto for who describes theirs.
export const KEPT = [
  ...['AbortController', 'Date', 'fetch', 'performance', 'setImmediate'],
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  ...TYPED_ARRAYS,
]

type GlobalOf<Name> = Name extends keyof typeof globalThis ? (typeof globalThis)[Name] : unknown

/**
 * A global of Node.js itself. Those that are kept are as the preload found them, before any environment, or else as they were when
 * this was loaded; others as they are now, so only to be asked for where nobody changes the host's.
 */
export function hostValue<Name extends string>(name: Name): GlobalOf<Name> {
  const host = hostGlobal()
  const kept = keptGlobals(host)[name]
  if (!kept) return Reflect.get(host, name)
  const { get, value } = kept
  if (get === undefined) return value
  // Node.js loads some of its globals when they are first read, and then puts them in place of what is there by now.
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

/** The class of what Node.js's own fetch gives, which it loads for it. */
export function hostResponse(): Promise<typeof Response> {
  responseClass ??= originals.fetch('data:,').then((response) => response.constructor as typeof Response)
  return responseClass
}

/**
 * The `Response` that an environment may have put in place of Node.js's: a window has its own, and a vm context what it was given.
 * Elsewhere it stays unread.
 */
export function foreignResponse(): typeof Response | undefined {
  const isOfNode = globalThis === hostGlobal() && !('window' in globalThis)
  return isOfNode ? undefined : globalThis.Response
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
    // In a process that a test started, ours is in place before the engine is loaded: it would ask itself.
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

// A timer that is asked for more fires at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Runs `work` with a signal that aborts when the caller's does, or after `ms` milliseconds with what `late` makes. Without
 * `ms` there is no limit.
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

/** As many may listen as there are files and connections: from the eleventh on, Node.js warns of a leak. */
export function letManyListen(signal: AbortSignal): void {
  try {
    // Without a limit (0), getMaxListeners of Node.js 20 fails.
    setMaxListeners(MOST_LISTENERS, signal)
  } catch {
    // One of a window, which counts no listeners.
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
