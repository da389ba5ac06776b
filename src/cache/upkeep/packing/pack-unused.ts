import type { Entry } from '../../../model/entry.ts'
import { messageOf } from '../../../model/errors.ts'
import { linkedController, originals } from '../../../platform/originals.ts'
import type { CacheContext } from '../../context/context.ts'
import { isWritable } from '../../store/cache-folder.ts'
import { packEntries } from './pack-entries.ts'

// Vitest ends a teardown after ten seconds. The chunks that were written are found by the next run, which goes on from there.
const MOST_MS = 5000

interface Options {
  exceptRun?: string
  /** Ends the work. Without it, the work ends after some seconds. */
  signal?: AbortSignal
}

/** Packs models that maintenance has chosen. What is not done in time is left for later: then it returns false. */
export async function packUnused(
  context: CacheContext,
  chosen: Entry[],
  { exceptRun, signal: given }: Options = {},
): Promise<boolean> {
  if (!isWritable(context.layout)) return true
  const { controller, unlink } = linkedController(given ?? context.options.signal)
  const timer = given ? undefined : originals.setTimeout(() => controller.abort(), MOST_MS)
  const isCompressed = context.options.compression !== 'none'
  try {
    await packEntries(context, chosen, { exceptRun, isCompressed, signal: controller.signal })
    return true
  } catch (error) {
    if (!controller.signal.aborted) throw error
    context.debug(`Packing goes on later: ${messageOf(error)}`)
    return false
  } finally {
    originals.clearTimeout(timer)
    unlink()
  }
}
