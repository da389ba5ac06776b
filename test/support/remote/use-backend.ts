import { afterAll, afterEach, beforeAll, test, vi } from 'vitest'
import type { Backend, StartedBackend } from './backend.ts'

/**
 * Starts a backend for the tests of a `describe`, with its variables in the environment, and closes it after them. Undefined if its
 * server is missing: then one skipped test says so.
 */
export function useBackend({ missing, start }: Backend): (() => StartedBackend) | undefined {
  if (missing !== undefined) {
    test.skip(`(skipped: ${missing})`)
    return undefined
  }
  let started: StartedBackend
  beforeAll(async () => {
    started = await start()
    for (const [variable, value] of Object.entries(started.env)) vi.stubEnv(variable, value)
  })
  afterEach(() => started.proxy?.reset())
  afterAll(async () => {
    vi.unstubAllEnvs()
    await started.close()
  })
  return () => started
}
