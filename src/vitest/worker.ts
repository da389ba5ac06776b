import process from 'node:process'
import { ModelCache } from '../cache/model-cache.ts'
import type { Evicted, FileReport } from '../model/request.ts'
import { hostGlobal, linkedController } from '../platform/originals.ts'
import { makeModels, OWN_PROVIDERS } from '../providers/models.ts'
import { Recorder } from '../providers/recorder.ts'
import { type ActiveModels, slotOf } from '../providers/slot.ts'
import type { Provided } from './channel.ts'
import { makeInterception } from './intercept.ts'

/**
 * Makes what a worker serves models with, in the realm in which the tests run: in a vm pool what a runtime gives back
 * must be of the context's own classes. Files that share a worker share it.
 */
export function openWorker(provided: Provided): ActiveModels {
  const slot = slotOf(globalThis)
  if (slot.active?.runId === provided.run.id) return slot.active
  for (const definition of OWN_PROVIDERS)
    if (!slot.definitions.has(definition.name)) slot.definitions.set(definition.name, definition)
  const { run, root, mode, debug, manifest } = provided
  const write = (message: string) => void process.stderr.write(`[model-cache] ${message}\n`)
  const atStart = { ...process.env }
  const cache = new ModelCache({
    ...provided.cache,
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
  const recorder = new Recorder()
  const { begin, requests } = makeInterception(cache, provided)
  const both = (own: FileReport, others: FileReport, evicted: Evicted): FileReport => ({
    requests: [...own.requests, ...others.requests],
    errors: [...own.errors, ...others.errors],
    ...(evicted.models.length > 0 && { evicted }),
  })
  const collected = () => both(recorder.collected, requests.collected, cache.context.evicted)
  const drain = () => both(recorder.drain(), requests.drain(), cache.context.takeEvicted())
  const underWay = () => cache.context.underWay.values()
  slot.active = {
    runId: run.id,
    begin,
    collected,
    drain,
    underWay,
    ...makeModels({ cache, mode, recorder, root }, slot.definitions),
  }
  return slot.active
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
