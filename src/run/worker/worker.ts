// The engine is loaded later, when a test may have replaced functions of this module. Node.js passes on the functions that it finds
// at the first import.
import 'node:fs/promises'
import type { Manifest } from '../../cache/context/manifest.ts'
import type { Progress } from '../../cache/context/progress.ts'
import type { FileReport } from '../../model/request.ts'
import { keepCrypto } from '../../platform/late-crypto.ts'
import { hostGlobal } from '../../platform/originals.ts'
import { ownMs, takeOwnMs } from '../../platform/own-time.ts'
import { makeModels, OWN_PROVIDERS } from '../../providers/models.ts'
import { Recorder } from '../../providers/recorder.ts'
import { type ActiveModels, slotOf, type WorkerSlot } from '../../providers/slot.ts'
import { importPreload, loadedPreload } from '../preload.ts'
import type { WorkerSettings } from '../worker-settings.ts'
import { combineReports } from './combine-reports.ts'
import { intercept } from './intercept.ts'
import { interceptUnit } from './intercept-unit.ts'
import { LateEngine } from './late-engine.ts'

/** Serves models to the test files of one worker, or of one vm context. */
export interface Worker extends ActiveModels {
  runId: string
  /** Resolves when user code may run. */
  ready: Promise<unknown>
  /** The ids of the tests that run now. Concurrent tests run at the same time. */
  running: Set<string>
  manifest: Manifest
  /** Resolves when the models have arrived that a test file is expected to request. Called before its tests begin. */
  awaitModels(testFile: string): Promise<void>
  /**
   * Called when a test file begins. From now on, requests of untouched code are answered, and count for this file. If `end` was not
   * called for the previous file, its report is passed to the `handOver` of that file. `onChange` is called after each request.
   */
  begin(testFile: string, handOver?: (report: FileReport) => void, onChange?: () => void): void
  /** Called when the test file ends. Returns its report. */
  end(): FileReport
  /** The report of the test file so far. */
  collected(): FileReport
  /** The downloads that run now. */
  underWay(): Iterable<Progress>
  /** Notes that a test timed out while it waited for this download. */
  timedOut(download: Progress, test?: string): void
}

// On the global object: a runner may evaluate this module again for each test file of a worker.
const KEY = Symbol.for('vitest-model-cache.worker')

/**
 * The worker of the realm whose global object is `global`. Test files that share the realm share the worker. In a vm context this
 * must be the global object of the context: the objects that a runtime returns must have the classes of the context. `keeper` is the
 * object that keeps the worker, where several workers share a realm.
 */
export function openWorker(settings: WorkerSettings, global: typeof globalThis, keeper: object = global): Worker {
  const holder: { [KEY]?: Worker } = keeper
  if (holder[KEY]?.runId === settings.run.id) return holder[KEY]
  const slot = slotOf(keeper)
  for (const definition of OWN_PROVIDERS)
    if (!slot.definitions.has(definition.name)) slot.definitions.set(definition.name, definition)
  const worker = makeWorker(settings, global, slot)
  holder[KEY] = worker
  slot.active = worker
  return worker
}

function makeWorker(settings: WorkerSettings, global: typeof globalThis, { definitions }: WorkerSlot): Worker {
  const { run, root, mode, manifest, workers, threads } = settings
  const running = new Set<string>()
  const whichTest = () => (running.size === 1 ? [...running][0] : undefined)
  let changed: (() => void) | undefined
  const onChange = () => changed?.()
  const recorder = new Recorder(onChange)
  const engine = new LateEngine(settings, { whichTest, isLoading: (file) => recorder.isLoading(file), onChange })
  const openCache = async () => (await engine.open()).cache
  let handOverOpen: ((report: FileReport) => void) | undefined
  const end = (): FileReport => {
    handOverOpen = undefined
    changed = undefined
    const { opened } = engine
    const reports = [recorder.drain(), opened?.requests.drain()]
    return combineReports({ ownMs: takeOwnMs(), workers }, reports, opened?.cache.context.takeEvicted())
  }
  return {
    ...{ runId: run.id, running, manifest, end },
    ready: prepare(settings, engine, global),
    async awaitModels(testFile) {
      if (!settings.arrivals) return
      const load = () => import('./await-models.ts')
      const { awaitModels } = await (loadedPreload()?.importAsIs(load) ?? load())
      await awaitModels(settings, settings.arrivals, testFile)
    },
    begin(testFile, handOver, onChange) {
      handOverOpen?.(end())
      // A file that was ended in the middle of a test left it here.
      running.clear()
      const preload = loadedPreload()
      if (preload && mode === 'unit') interceptUnit({ preload, settings, global, recorder, whichTest })
      else if (preload)
        intercept({ preload, settings, testFile, global, open: async () => (await engine.open()).bridge })
      handOverOpen = handOver
      changed = onChange
    },
    collected() {
      const { opened } = engine
      const reports = [recorder.collected, opened?.requests.collected]
      return combineReports({ ownMs: ownMs(), workers }, reports, opened?.cache.context.evicted)
    },
    underWay: () => engine.opened?.cache.context.underWay.values() ?? [],
    timedOut: (download, test) => recorder.unfinished(download, test),
    ...makeModels({ openCache, mode, recorder, root, threads, whichTest }, definitions),
  }
}

/**
 * Loads the code that must be loaded before user code. In a vm context this includes the engine. A vm context keeps the exports that a
 * module of Node.js has at its first import, and after user code ran, these may be spies of the suite.
 */
async function prepare(settings: WorkerSettings, engine: LateEngine, global: typeof globalThis): Promise<void> {
  if (settings.intercept.length > 0 && !loadedPreload()) await importPreload()
  if (hostGlobal() !== global && settings.mode === 'integration') await Promise.all([engine.open(), keepCrypto()])
}
