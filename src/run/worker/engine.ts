import process from 'node:process'
import { ModelCache } from '../../cache/model-cache.ts'
import { type Bridge, makeBridge } from '../../intercept/bridge.ts'
import { FoldedRequests } from '../../intercept/folded-requests.ts'
import { printableLines } from '../../model/printable.ts'
import { hostGlobal, linkedController, originals } from '../../platform/originals.ts'
import type { WorkerSettings } from '../worker-settings.ts'

/** Serves the tests of a worker from the cache. */
export interface Engine {
  cache: ModelCache
  /** Answers the requests of untouched code. */
  bridge: Bridge
  /** The requests that untouched code made. */
  requests: FoldedRequests
}

/** What the engine has to know of the tests. */
export interface TestsOfWorker {
  /** The id of the running test; undefined if no test or several tests run. */
  whichTest: () => string | undefined
  /** True while a provider loads this file: the request of the provider has the load. */
  isLoading: (file: string) => boolean
  /** Called after each request of untouched code. */
  onChange: () => void
}

/**
 * Opens the engine of a worker. `atStart` is the worker's environment before any user code.
 */
export function openEngine(
  { cache: settings, threads, run, manifest, debug, intercept: bases }: WorkerSettings,
  atStart: NodeJS.ProcessEnv,
  { whichTest, isLoading, onChange }: TestsOfWorker,
): Engine {
  const write = (message: string) => void process.stderr.write(`[model-cache] ${printableLines(message)}\n`)
  const cache = new ModelCache({
    ...settings,
    // A setup file may add a token. A suite can't change or remove a variable that was set at the start.
    get env() {
      return { ...process.env, ...atStart }
    },
    run,
    manifest,
    signal: mainProcessGone(),
    onDebug: debug ? write : undefined,
    onWarning: write,
    whenUnusable: 'temporary',
  })
  const requests = new FoldedRequests()
  const bridge = makeBridge({
    ...{ cache, bases, threads, whichTest },
    onServed(served) {
      requests.served(served)
      onChange()
    },
    onLoaded(path, span) {
      if (isLoading(path)) return
      requests.loaded(path, span)
      onChange()
    },
    onFailed(repo, error, test) {
      requests.failed(repo, error, test)
      onChange()
    },
  })
  return { cache, bridge, requests }
}

const LOOK_EVERY_MS = 500

const GONE = Symbol.for('vitest-model-cache.main-process-gone')

/**
 * Aborts when the main process of a forked worker is gone. An unfinished download would keep the worker alive, and nobody needs it.
 * Each process has one such signal, because a worker of a vm pool opens an engine for each context.
 */
function mainProcessGone(): AbortSignal {
  const global: object = hostGlobal()
  const host: { [GONE]?: AbortSignal } = global
  if (host[GONE]) return host[GONE]
  const { controller } = linkedController()
  // Not by the event `disconnect`: a process that listens to it does not end by itself, and Jest waits for that.
  const timer = originals.setInterval(() => {
    if (process.connected !== false) return
    originals.clearInterval(timer)
    controller.abort(new Error('The main process of this test run is gone.'))
  }, LOOK_EVERY_MS)
  timer.unref()
  host[GONE] = controller.signal
  return controller.signal
}
