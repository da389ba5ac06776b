// Before the augmentation below, which merges into what is loaded already.
export type {} from 'vitest'

import type { FileReport } from '../model/request.ts'
import type { Models } from '../providers/models.ts'
import type { WorkerSettings } from '../run/worker-settings.ts'

/** The key under which both sides put what they tell each other: `provide` to the workers, task meta back. */
export const CHANNEL = 'vitest-model-cache'

/** Puts a test file's report where the main process finds it; it travels with blobs too. */
export function writeFileReport(meta: object, report: FileReport): void {
  const value = isEmpty(report) ? undefined : report
  Reflect.defineProperty(meta, CHANNEL, { value, enumerable: true, configurable: true, writable: true })
}

/**
 * Has each message with this meta bring what was collected by then. Of a test file that throws while it is collected, or of
 * which all is skipped, Vitest sends the meta too, and calls no hook before it.
 */
export function reportWhenSent(meta: object, collected: () => FileReport): void {
  const get = () => {
    const report = collected()
    return isEmpty(report) ? undefined : report
  }
  Reflect.defineProperty(meta, CHANNEL, { get, enumerable: true, configurable: true })
}

export function isEmpty({ requests, errors, mocks, evicted }: FileReport): boolean {
  return requests.length === 0 && errors.length === 0 && mocks === undefined && evicted === undefined
}

export function readFileReport(meta: object): FileReport | undefined {
  return Reflect.get(meta, CHANNEL)
}

declare module 'vitest' {
  interface ProvidedContext {
    [CHANNEL]: WorkerSettings
  }
  interface TestContext {
    /** Models of the Hugging Face Hub, out of the cache. */
    models: Models
  }
}
