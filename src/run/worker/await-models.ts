import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import process from 'node:process'
import type { Manifest } from '../../cache/context/manifest.ts'
import { originals, sleep } from '../../platform/originals.ts'
import type { Arrivals, WorkerSettings } from '../worker-settings.ts'

const LOOK_EVERY_MS = 50

/**
 * Resolves when the models have arrived for which a test file waits, or failed, or when nobody downloads them any more. Then updates the
 * manifest of the worker. Never rejects: the test that requests a model gets the error.
 */
export async function awaitModels(
  { root, events, cache, manifest }: WorkerSettings,
  { waits, manifest: file }: Arrivals,
  testFile: string,
): Promise<void> {
  const [, marks = []] = waits.find(([path]) => path === relative(root, testFile)) ?? []
  const end = originals.monotonic() + (cache.hub.timeoutMs ?? Infinity)
  const isOnTheWay = () => marks.some((mark) => existsSync(join(events, mark)))
  while (isOnTheWay() && isMainProcessThere() && originals.monotonic() < end) await sleep(LOOK_EVERY_MS)
  // The engine has this object.
  Object.assign(manifest, read(file))
}

/** A worker thread ends with its main process. */
function isMainProcessThere(): boolean {
  return process.connected !== false
}

function read(file: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // Nothing has arrived.
    return undefined
  }
}
