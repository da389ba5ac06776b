import { slotOf } from '../providers/slot.ts'
import { disposeModels } from '../run/worker/dispose-models.ts'

/**
 * Has the models of this worker disposed when the worker ends, unless our environment does so. The built-in environment `node` stays in
 * place in forks and threads: Vitest takes 8 ms in each worker to load another one.
 */
export function disposeAtEnd(global: typeof globalThis): void {
  const slot = slotOf(global)
  // Vitest 4.1 and 5 have no public function for it. `__vitest_worker__` is the state of the worker.
  const state: unknown = Reflect.get(global, '__vitest_worker__')
  const { onCleanup }: { onCleanup?: unknown } = Object(state)
  if (slot.willDispose || typeof onCleanup !== 'function') return
  slot.willDispose = true
  onCleanup(() => disposeModels(global))
}
