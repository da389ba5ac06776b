import { existsSync } from 'node:fs'
import type { CacheContext } from '../../cache/context/context.ts'
import { isOnNetwork } from '../../cache/store/network-disk.ts'
import { whoElseWrites } from '../../cache/store/shared-folder.ts'
import type { Options } from '../../config/options.ts'
import { type Check, ok } from './check.ts'

/** How sessions of ONNX Runtime will load the models of the cache folder, and how their threads wait. */
export function checkLoading(context: CacheContext, { load, threads, intercept }: Options): Check {
  const where = intercept.length > 0 ? '' : ' (in models.session() only, because `intercept` is off)'
  return ok('loading', `${wayFor(context, load)}, threads ${threads}${where}`)
}

function wayFor({ layout, origin }: CacheContext, load: Options['load']): string {
  if (load === 'plain') return 'plain as the option `load` says'
  const folder = [layout.hub, layout.directory].find(existsSync)
  if (folder !== undefined && isOnNetwork(folder)) return 'plain on this network disk'
  return whoElseWrites({ layout, origin }) ? 'plain in a folder that others can write to' : 'mapped'
}
