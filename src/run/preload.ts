import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type preload from '../intercept/preload.cts'

/** What `--require` loads in workers and in the processes that tests start. */
export const PRELOAD = fileURLToPath(new URL('../intercept/preload.cjs', import.meta.url))

export type Preload = typeof preload

const KEY = Symbol.for('vitest-model-cache.preload')

/** As `--require` loaded it into this process; undefined where nobody did. */
export function loadedPreload(): Preload | undefined {
  return Reflect.get(process, KEY)
}

/** For projects that are wired by hand: there nothing is given to `--require`. */
export async function importPreload(): Promise<Preload> {
  return (await import('../intercept/preload.cts')).default
}
