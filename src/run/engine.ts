import process from 'node:process'
import { ModelCache } from '../cache/model-cache.ts'
import { type Bridge, makeBridge } from '../intercept/bridge.ts'
import { FoldedRequests } from '../intercept/folded-requests.ts'
import { printableLines } from '../model/printable.ts'
import { hostGlobal, linkedController } from '../platform/originals.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** What serves the tests of a worker. Most test files ask for no model: it is loaded with the first that does. */
export interface Engine {
  cache: ModelCache
  /** Answers code that knows nothing of the cache. */
  bridge: Bridge
  /** What such code asked for. */
  requests: FoldedRequests
}

/** `atStart`: the environment of the worker before any user code. */
export function openEngine(
  { cache: settings, run, manifest, debug, intercept: bases }: WorkerSettings,
  atStart: NodeJS.ProcessEnv,
  whichTest: () => string | undefined,
): Engine {
  const write = (message: string) => void process.stderr.write(`[model-cache] ${printableLines(message)}\n`)
  const cache = new ModelCache({
    ...settings,
    // A token that a setup file brings counts; one that was there stays, whatever the suite does to the environment.
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
    ...{ cache, bases, whichTest },
    onServed: (served) => void requests.served(served),
    onLoaded: (path, span) => void requests.loaded(path, span),
    onFailed: (repo, error, test) => void requests.failed(repo, error, test),
  })
  return { cache, bridge, requests }
}

const GONE = Symbol.for('vitest-model-cache.main-process-gone')

/**
 * Aborts when the main process of a forked worker is gone: what is under way is of use to nobody any more, and would keep
 * the worker alive. One a process: a worker of a vm pool opens many.
 */
function mainProcessGone(): AbortSignal {
  const global: object = hostGlobal()
  const host: { [GONE]?: AbortSignal } = global
  if (host[GONE]) return host[GONE]
  const { controller } = linkedController()
  process.once('disconnect', () => controller.abort(new Error('The main process of this test run is gone.')))
  host[GONE] = controller.signal
  return controller.signal
}
