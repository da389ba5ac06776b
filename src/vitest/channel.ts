// Loads the types that the augmentation below adds to.
export type {} from 'vitest'

import { type FileReport, isEmpty } from '../model/request.ts'
import type { Models } from '../providers/models.ts'
import type { WorkerSettings } from '../run/worker-settings.ts'

/** The key of `provide`, by which the main process tells workers, and of the task meta, by which workers tell the main process. */
export const CHANNEL = 'vitest-model-cache'

/** Puts a test file's report into its meta. Vitest sends the meta to the main process, and writes it into blob reports. */
export function writeFileReport(meta: object, report: FileReport): void {
  const value = isEmpty(report) ? undefined : report
  Reflect.defineProperty(meta, CHANNEL, { value, enumerable: true, configurable: true, writable: true })
}

/**
 * Has the meta hold the report up to the moment in which Vitest sends it. Vitest calls no hook for a test file that throws while it is
 * collected, or that has only skipped tests, and sends its meta all the same.
 */
export function reportWhenSent(meta: object, collected: () => FileReport): void {
  const get = () => {
    const report = collected()
    return isEmpty(report) ? undefined : report
  }
  Reflect.defineProperty(meta, CHANNEL, { get, enumerable: true, configurable: true })
}

export function readFileReport(meta: object): FileReport | undefined {
  return Reflect.get(meta, CHANNEL)
}

declare module 'vitest' {
  interface ProvidedContext {
    [CHANNEL]: WorkerSettings
  }
  interface TestContext {
    /** Models of the Hugging Face Hub, from the cache. */
    models: Models
  }
}
