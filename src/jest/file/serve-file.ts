import process from 'node:process'
import type { FileReport } from '../../model/request.ts'
import { hostGlobal } from '../../platform/originals.ts'
import { counted } from '../../platform/own-time.ts'
import { slotOf } from '../../providers/slot.ts'
import { requirePreload } from '../../run/preload.ts'
import { readSettings } from '../../run/worker/read-settings.ts'
import { ReportFile } from '../../run/worker/report-file.ts'
import { openWorker, type Worker } from '../../run/worker/worker.ts'
import type { EnvironmentConfig } from '../types.ts'
import { giveModels } from './give-models.ts'
import { hookVm, unhookVm } from './hook-vm.ts'
import { keeperOf } from './keepers.ts'

/** Serves one test file. */
export interface ServedFile {
  worker: Worker
  /** Gives models to the global object of the test file's vm context. `inner`: that object as code in the context sees it. */
  giveTo(global: typeof globalThis, inner?: object): void
  /** Resolves when the tests may begin: the models that the file needs have arrived. */
  begins(): Promise<void>
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
    const settings = readSettings(project)
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
          const slot = slotOf(keeperOf(project))
          // If the environment is not one of ours, the setup files ran before this.
          for (const [name, definition] of slotOf(inner).definitions) slot.definitions.set(name, definition)
          const onRuntime = giveModels(global, slot)
          hookVm({ onRuntime, preload: settings.intercept.length > 0 ? preload : undefined })
        }),
      async begins() {
        await worker.ready
        await worker.awaitModels(testFile)
      },
      end() {
        unhookVm()
        write(worker.end())
      },
    }
  })
}
