import process from 'node:process'
import { ModelCacheError } from '../model/errors.ts'
import type { Evicted, FileReport, RequestError } from '../model/request.ts'
import { hostGlobal, originals } from '../platform/originals.ts'
import { ownMs, spent, takeOwnMs } from '../platform/own-time.ts'
import { makeModels, OWN_PROVIDERS } from '../providers/models.ts'
import { Recorder } from '../providers/recorder.ts'
import { type ActiveModels, slotOf } from '../providers/slot.ts'
import type { Engine } from './engine.ts'
import { intercept } from './intercept.ts'
import { importPreload, loadedPreload } from './preload.ts'
import type { WorkerSettings } from './worker-settings.ts'

/**
 * Makes what a worker serves models with, in the realm in which the tests run: in a vm pool what a runtime gives back
 * must be of the context's own classes. Files that share a worker share it. Throws `NOT_SET_UP`.
 */
export function openWorker(provided: WorkerSettings | undefined): ActiveModels {
  if (!provided) throw notSetUp()
  const slot = slotOf(globalThis)
  if (slot.active?.runId === provided.run.id) return slot.active
  for (const definition of OWN_PROVIDERS)
    if (!slot.definitions.has(definition.name)) slot.definitions.set(definition.name, definition)
  const { run, root, mode } = provided
  const atStart = { ...process.env }
  let preload = loadedPreload()
  let opened: Engine | undefined
  let opening: Promise<Engine> | undefined
  const load = async () => {
    const started = originals.monotonic()
    const importEngine = () => import('./engine.ts')
    const { openEngine } = await (preload ? preload.importAsIs(importEngine) : importEngine())
    opened = openEngine(provided, atStart, whichTest)
    spent('engine', started, provided.debug)
    return opened
  }
  const open = () => {
    opening ??= load()
    return opening
  }
  const recorder = new Recorder()
  const running = new Set<string>()
  const whichTest = () => (running.size === 1 ? [...running][0] : undefined)
  const together = (ownMs: number, own: FileReport, others?: FileReport, evicted?: Evicted): FileReport => ({
    ownMs,
    requests: [...own.requests, ...(others?.requests ?? [])],
    errors: withoutEnded([...own.errors, ...(others?.errors ?? [])]),
    ...(evicted && evicted.models.length > 0 && { evicted }),
  })
  // A vm context keeps what a module of Node.js exports at the first import: by the time a model is asked for, that may be a
  // suite's spies.
  const isVm = hostGlobal() !== globalThis
  const prepare = async () => {
    if (provided.intercept.length > 0) preload ??= await importPreload()
    if (isVm && mode === 'integration') await open()
  }
  slot.active = {
    runId: run.id,
    ready: prepare(),
    begin: (testFile) => preload && intercept(preload, provided, testFile, async () => (await open()).bridge),
    collected: () => together(ownMs(), recorder.collected, opened?.requests.collected, opened?.cache.context.evicted),
    drain: () => together(takeOwnMs(), recorder.drain(), opened?.requests.drain(), opened?.cache.context.takeEvicted()),
    ...{ running, manifest: provided.manifest, timedOut: (download, test) => recorder.unfinished(download, test) },
    underWay: () => opened?.cache.context.underWay.values() ?? [],
    ...makeModels({ openCache: async () => (await open()).cache, mode, recorder, root, whichTest }, slot.definitions),
  }
  return slot.active
}

/** A download may fail after a test stopped waiting for it: then its own error is told, and not that it was unfinished. */
function withoutEnded(errors: RequestError[]): RequestError[] {
  const ended = errors.filter(({ code }) => code !== 'UNFINISHED').map(({ model }) => model)
  return errors.filter(({ code, model }) => code !== 'UNFINISHED' || !ended.includes(model))
}

function notSetUp(): ModelCacheError {
  return new ModelCacheError({
    code: 'NOT_SET_UP',
    asked: 'vitest-model-cache/setup-file',
    reason: 'The global setup of the package did not run for this project.',
    nextStep: 'Use the plugin modelCache(), or add `vitest-model-cache/global-setup` to `globalSetup`.',
  })
}
