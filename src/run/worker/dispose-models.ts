import process from 'node:process'
import { printableLines } from '../../model/printable.ts'
import { sleep } from '../../platform/originals.ts'
import { slotOf } from '../../providers/slot.ts'

// A `dispose` that never ends would keep the worker alive.
const DISPOSE_WITHIN_MS = 2_000

/** Disposes the models that were loaded in a realm, before its environment is torn down. Never throws, and takes at most 2 s. */
export async function disposeModels(global: object): Promise<void> {
  const { active } = slotOf(global)
  if (!active) return
  const bound = new AbortController()
  const disposed = active
    .disposeAll()
    .catch((error) => process.stderr.write(`[model-cache] ${printableLines(String(error))}\n`))
  await Promise.race([disposed, sleep(DISPOSE_WITHIN_MS, bound.signal).catch(() => undefined)])
  bound.abort()
}
