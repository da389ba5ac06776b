import { readFileSync } from 'node:fs'
import process from 'node:process'
import type { FileReport } from '../model/request.ts'
import { hostGlobal } from '../platform/originals.ts'
import { counted } from '../platform/own-time.ts'
import { shareSlot, slotOf, type WorkerSlot } from '../providers/slot.ts'
import { requirePreload } from '../run/preload.ts'
import { ReportFile } from '../run/worker/report-file.ts'
import { shareClasses } from '../run/worker/share-classes.ts'
import { openWorker, type Worker } from '../run/worker/worker.ts'
import type { WorkerSettings } from '../run/worker-settings.ts'
import { defineModels } from './define-models.ts'
import { hookVm, unhookVm } from './hook-vm.ts'
import { keeperOf } from './keepers.ts'
import { RUN_VARIABLE, settingsFile } from './run-variable.ts'
import type { EnvironmentConfig } from './types.ts'

const BRIDGE = Symbol.for('vitest-model-cache.intercept')

// A property of the global object of each test file that is served.
const SERVED = Symbol.for('vitest-model-cache.jest-file')

/** Serves one test file. */
export interface ServedFile {
  worker: Worker
  /** Gives models to the global object of the test file's vm context. `inner`: that object as code in the context sees it. */
  giveTo(global: typeof globalThis, inner?: object): void
  /** Called when the test file ends. */
  end(): void
}

/**
 * Begins to serve a test file: sets the variables of this process for child processes. Undefined if our global setup did not run for the
 * project. Called before the vm context is made, because Jest copies `process` for it.
 */
export function serveFile({ projectConfig }: EnvironmentConfig, testFile: string): ServedFile | undefined {
  return counted('environment', () => {
    const { id: project } = projectConfig
    const settings = settingsOf(project)
    if (!settings) return undefined
    // The worker looks for the preload.
    const preload = requirePreload()
    const worker = openWorker(settings, hostGlobal(), keeperOf(project))
    const report = new ReportFile(settings.events, { project, testFile }, () => worker.collected())
    // A test may end the process at once.
    const writeAtExit = () => report.write(worker.collected())
    const write = (left: FileReport) => {
      process.off('exit', writeAtExit)
      report.write(left)
    }
    // If a setup file fails, Jest does not end the environment. The next file then ends this one.
    worker.begin(testFile, write, () => report.writeSoon())
    process.once('exit', writeAtExit)
    return {
      worker,
      giveTo: (global, inner = global) =>
        counted('environment', () => {
          const share = shareOnce(global)
          hookVm({ onRuntime: share, preload: settings.intercept.length > 0 ? preload : undefined })
          const slot = slotOf(keeperOf(project))
          // If the environment is not one of ours, the setup files ran before this.
          for (const [name, definition] of slotOf(inner).definitions) slot.definitions.set(name, definition)
          give(global, slot, share)
        }),
      end() {
        unhookVm()
        write(worker.end())
      },
    }
  })
}

/** True if a test file with this global object is served already. */
export function isServed(global: object): boolean {
  return Reflect.has(global, SERVED)
}

function give(global: typeof globalThis, slot: WorkerSlot, share: () => void): void {
  Reflect.set(global, SERVED, true)
  // Jest itself shares ArrayBuffer and Uint8Array with the contexts of its environment `node`.
  const isWindow = 'document' in global
  if (!isWindow) share()
  // The `process` of the context is a copy.
  Reflect.set(global.process, BRIDGE, Reflect.get(process, BRIDGE))
  // In Node.js 22 and newer, reading `Response` loads undici. A window may have a class of its own.
  requirePreload().wrapFetch(global, isWindow ? global.Response : undefined)
  const active = () => {
    share()
    return slot.active
  }
  shareSlot(global, Object.create(slot, { active: { get: active } }))
  defineModels(global, () => active()?.models)
}

/**
 * Gives the classes of Node.js, and what jsdom lacks, to a global object when it is first called. In a window they are given only to test
 * files that use a model: a polyfill of `fetch` does nothing if there is one already, and React looks for `setImmediate`.
 */
function shareOnce(global: typeof globalThis): () => void {
  let isShared = false
  return () => {
    if (isShared) return
    isShared = true
    shareClasses(global)
    for (const name of ['setImmediate', 'clearImmediate', 'structuredClone', 'TextEncoder', 'TextDecoder'] as const)
      if (!(name in global)) Reflect.set(global, name, hostGlobal()[name])
    requirePreload().wrapFetch(global, 'document' in global ? global.Response : undefined)
  }
}

const known = new Map<string, WorkerSettings>()

/** The settings that the global setup left. A process reads them once for each project. */
function settingsOf(project: string): WorkerSettings | undefined {
  const folder = process.env[RUN_VARIABLE]
  if (!folder) return undefined
  const path = settingsFile(folder, project)
  const read = known.get(path) ?? readSettings(path)
  if (read) known.set(path, read)
  return read
}

function readSettings(path: string): WorkerSettings | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // The project has no global setup of ours.
    return undefined
  }
}
