import { type Entry, entrySize } from '../../model/entry.ts'
import { messageOf } from '../../model/errors.ts'
import { linkedController, originals } from '../../platform/originals.ts'
import type { CacheContext } from '../context/context.ts'
import { isWritable } from '../store/cache-folder.ts'
import { chooseToPack } from './choose-to-pack.ts'
import { packEntries } from './pack-entries.ts'

// Vitest ends a teardown after ten seconds. The chunks that were written are found by the next run, which goes on from there.
const MOST_MS = 5000
// Reading a larger one takes all of that time, so it would never be packed.
const LARGEST_BYTES = 2 ** 31

/**
 * Packs models that were not used for `packAfter`. What is not done in some seconds is left for the next run. Pinned models stay, and so do
 * very large ones, which only the command `pack` packs.
 */
export async function packUnused(context: CacheContext, exceptRun: string | undefined): Promise<void> {
  const { packAfter: unusedForMs, compression } = context.options
  if (unusedForMs === undefined || !isWritable(context.layout)) return
  const metadata = await context.metadata()
  const entries = [...(await metadata.all()).values()]
  const chosen = chooseToPack(entries, { now: originals.now(), unusedForMs }).filter(isToPack)
  if (chosen.length === 0) return
  const { controller, unlink } = linkedController(context.options.signal)
  const timer = originals.setTimeout(() => controller.abort(), MOST_MS)
  try {
    await packEntries(context, chosen, { exceptRun, isCompressed: compression !== 'none', signal: controller.signal })
  } catch (error) {
    if (!controller.signal.aborted) throw error
    context.debug(`Packing goes on after the next run: ${messageOf(error)}`)
  } finally {
    originals.clearTimeout(timer)
    unlink()
  }
}

function isToPack(entry: Entry): boolean {
  return !entry.pinned && entrySize(entry) <= LARGEST_BYTES
}
