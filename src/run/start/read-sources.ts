import { readSources as readKept } from '../../cache/store/entries/sources.ts'
import type { Project } from '../project.ts'
import type { NamedModels, Queue } from '../queue.ts'
import { settledSources } from './settled-sources.ts'

// A run must not wait for its sources longer than this.
const READ_WITHIN_MS = 1_000

/**
 * Reads which models the queued test files name, where that decides what is warmed. Undefined if it does not, or if it is not possible:
 * it never fails a run.
 */
export async function readSources(
  project: Pick<Project, 'root' | 'options' | 'cache' | 'history'>,
  queue: Queue | undefined,
  withinMs = READ_WITHIN_MS,
): Promise<ReadonlyMap<string, NamedModels> | undefined> {
  const { root, options, cache, history } = project
  if (options.warm !== 'predicted' || !queue || queue.files.length === 0) return undefined
  try {
    const places = queue.places?.() ?? { folders: [root], aliases: [], setupFiles: [] }
    const kept = readKept(cache.context.layout, root)
    const settled = settledSources(kept, root, queue, places, history)
    if (settled) return settled
    const { scanQueue } = await import('./scan/scan.ts')
    return await scanQueue(project, queue, places, { keptBefore: kept, withinMs })
  } catch {
    return undefined
  }
}
