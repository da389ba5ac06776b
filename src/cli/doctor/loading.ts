import { existsSync } from 'node:fs'
import type { Layout } from '../../cache/store/layout.ts'
import { isOnNetwork } from '../../cache/store/network-disk.ts'
import type { Options } from '../../config/options.ts'
import { type Check, ok } from './check.ts'

/** How sessions of ONNX Runtime will load the models of the cache folder, and how their threads wait. */
export function checkLoading(layout: Layout, { load, threads, intercept }: Options): Check {
  const where = intercept.length > 0 ? '' : ' (in models.session() only, because `intercept` is off)'
  return ok('loading', `${wayFor(layout, load)}, threads ${threads}${where}`)
}

function wayFor({ directory, hub }: Layout, load: Options['load']): string {
  if (load === 'plain') return 'plain as the option `load` says'
  const folder = [hub, directory].find(existsSync)
  return folder !== undefined && isOnNetwork(folder) ? 'plain on this network disk' : 'mapped'
}
