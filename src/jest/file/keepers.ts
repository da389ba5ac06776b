import { hostGlobal } from '../../platform/originals.ts'
import { disposeModels } from '../../run/worker/dispose-models.ts'

// On the global object of Node.js: Jest may load this module twice in a process.
const KEY = Symbol.for('vitest-model-cache.jest-keepers')

/**
 * The object that keeps the worker and the loaded models of one project in this process. They are kept outside of the vm contexts of
 * test files, so a model is loaded once for all test files of a process.
 */
export function keeperOf(project: string): object {
  const all = keepers()
  const known = all.get(project)
  if (known) return known
  // Forked workers end when nothing keeps them alive. Then this event is emitted, in a process only.
  if (all.size === 0) process.once('beforeExit', disposeKept)
  const keeper = {}
  all.set(project, keeper)
  return keeper
}

/** Disposes all models that this process keeps. */
export async function disposeKept(): Promise<void> {
  process.off('beforeExit', disposeKept)
  const all = keepers()
  const kept = [...all.values()]
  all.clear()
  for (const keeper of kept) await disposeModels(keeper)
}

function keepers(): Map<string, object> {
  const global: object = hostGlobal()
  const holder: { [KEY]?: Map<string, object> } = global
  holder[KEY] ??= new Map()
  return holder[KEY]
}
