import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Answer } from '../../intercept/answer.ts'

// transformers.js 4 takes ONNX Runtime's code from the CDN's copy of onnxruntime-web, 3 and 2 from that of themselves.
const PACKAGES = ['onnxruntime-web', '@huggingface/transformers', '@xenova/transformers']
const CDNS = ['https://cdn.jsdelivr.net/npm/', 'https://unpkg.com/']
const TYPES: Record<string, string> = { wasm: 'application/wasm', js: 'text/javascript', mjs: 'text/javascript' }

/**
 * The folders at the CDNs, as URLs with a slash at the end, of which the very same version is installed, and where: for
 * the project, or for a library that it uses.
 */
export function installedRuntimes(root: string): Map<string, string> {
  const own = PACKAGES.flatMap((name) => findPackage(name, root) ?? [])
  const nested = own.flatMap((folder) => findPackage('onnxruntime-web', folder) ?? [])
  const folders = [...new Set([...own, ...nested])]
  return new Map(
    folders.flatMap((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      return CDNS.map((cdn): [string, string] => [`${cdn}${name}@${version}/dist/`, join(folder, 'dist')])
    }),
  )
}

/** A file of a runtime that is installed; undefined for every other URL. */
export async function answerRuntimeFile(
  runtimes: ReadonlyMap<string, string>,
  url: string,
  method: string,
): Promise<Answer | undefined> {
  const base = [...runtimes.keys()].find((base) => url.startsWith(base))
  const name = base && url.slice(base.length)
  const [, ending = ''] = /^[\w-][\w.-]*\.(wasm|m?js)$/.exec(name ?? '') ?? []
  if (!base || !name || ending === '' || (method !== 'GET' && method !== 'HEAD')) return undefined
  const file = join(runtimes.get(base) ?? '', name)
  const stats = await stat(file).catch(() => undefined)
  if (!stats?.isFile()) return undefined
  const headers = { 'Content-Type': TYPES[ending] ?? '', 'Content-Length': String(stats.size) }
  return { status: 200, headers, ...(method === 'GET' && { body: { file, start: 0, end: stats.size } }) }
}

/** As Node.js looks for it, without what the package exports: of it only files are wanted. */
function findPackage(name: string, from: string): string | undefined {
  const folder = join(from, 'node_modules', name)
  if (existsSync(join(folder, 'package.json'))) return realpathSync(folder)
  const above = dirname(from)
  return above === from ? undefined : findPackage(name, above)
}
