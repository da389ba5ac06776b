import process from 'node:process'
import { shareSlot, type WorkerSlot } from '../../providers/slot.ts'
import { requirePreload } from '../../run/preload.ts'
import { shareClasses } from '../../run/worker/share-classes.ts'
import { defineModels } from './define-models.ts'

const BRIDGE = Symbol.for('vitest-model-cache.intercept')

// A property of each global object that has models.
const SERVED = Symbol.for('vitest-model-cache.jest-file')

/** True if this global object of a test file has models already. */
export function isServed(global: object): boolean {
  return Reflect.has(global, SERVED)
}

/**
 * Gives the models of `slot` to the global object of a test file. Returns the function that gives the classes of Node.js to it, to be
 * called before the file loads a runtime. In a window they are given only to test files that use a model: a polyfill of `fetch` does
 * nothing if there is one already, and React looks for `setImmediate`.
 */
export function giveModels(global: typeof globalThis, slot: WorkerSlot): () => void {
  Reflect.set(global, SERVED, true)
  // The `process` of the context is a copy.
  Reflect.set(global.process, BRIDGE, Reflect.get(process, BRIDGE))
  let isShared = false
  const share = () => {
    if (isShared) return
    isShared = true
    shareClasses(global)
    wrapFetch(global)
  }
  // Jest itself shares ArrayBuffer and Uint8Array with the contexts of its environment `node`.
  if (isWindow(global)) wrapFetch(global)
  else share()
  const active = () => {
    share()
    return slot.active
  }
  shareSlot(global, Object.create(slot, { active: { get: active } }))
  defineModels(global, () => active()?.models)
  return share
}

/** In Node.js 22 and newer, reading `Response` loads undici. A window may have a class of its own. */
function wrapFetch(global: typeof globalThis): void {
  requirePreload().wrapFetch(global, isWindow(global) ? global.Response : undefined)
}

function isWindow(global: object): boolean {
  return 'document' in global
}
