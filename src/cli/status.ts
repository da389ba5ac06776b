import { formatSize } from '../config/units.ts'
import { type GlobalOptions, openCache } from './open-cache.ts'

export async function status(globalOptions: GlobalOptions): Promise<number> {
  const { cache } = await openCache(globalOptions)
  const { directory, size, maxSize, entries } = await cache.statistics()
  console.log(
    `${directory}\n${entries} ${entries === 1 ? 'model' : 'models'}, ${formatSize(size)} of ${formatSize(maxSize)}`,
  )
  return 0
}
