import { createRequire } from 'node:module'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type preload from '../intercept/preload.cts'

/** The file for `--require`, in workers and in the child processes of tests. */
export const PRELOAD = fileURLToPath(new URL('../intercept/preload.cjs', import.meta.url))

export type Preload = typeof preload

const KEY = Symbol.for('vitest-model-cache.preload')

/** The preload of this process; undefined if it was not loaded. */
export function loadedPreload(): Preload | undefined {
  return Reflect.get(process, KEY)
}

/** Loads the preload at once, where an `import` would come too late. */
export function requirePreload(): Preload {
  return loadedPreload() ?? createRequire(import.meta.url)(PRELOAD)
}

/** Loads the preload in a worker that was started without `--require`: its project is wired by hand. */
export async function importPreload(): Promise<void> {
  await import('../intercept/preload.cts')
}
