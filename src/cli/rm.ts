import { formatSize } from '../config/units.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'

/** Removes models. A name that is not in the cache is refused before anything is removed. */
export async function remove(names: string[], globalOptions: GlobalOptions): Promise<number> {
  const { cache } = await openCache(globalOptions)
  const { entries, freedBytes } = await cache.remove(...names)
  for (const { repo, commit } of entries) console.log(`Removed ${repo} at ${commit.slice(0, 7)}`)
  console.log(`Freed ${formatSize(freedBytes)}`)
  return 0
}
