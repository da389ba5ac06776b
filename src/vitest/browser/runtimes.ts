import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Answer } from '../../intercept/answer.ts'

// transformers.js 4 loads ONNX Runtime's code from onnxruntime-web at the CDN. Versions 3 and 2 load it from their own package there.
const PACKAGES = ['onnxruntime-web', '@huggingface/transformers', '@xenova/transformers']
const CDNS = ['https://cdn.jsdelivr.net/npm/', 'https://unpkg.com/']
const TYPES: Record<string, string> = { wasm: 'application/wasm', js: 'text/javascript', mjs: 'text/javascript' }

/**
 * The folders of the CDNs whose packages are installed in exactly that version: by URL with a slash at the end, the folder on disk.
 * Looks for packages of the project, and for onnxruntime-web of those packages.
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

/** Answers with the installed file. Undefined for a URL that is no file of an installed runtime. */
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

/** The folder of a package, looked for as Node.js does. `exports` of the package play no part: only its files are read. */
function findPackage(name: string, from: string): string | undefined {
  const folder = join(from, 'node_modules', name)
  if (existsSync(join(folder, 'package.json'))) return realpathSync(folder)
  const above = dirname(from)
  return above === from ? undefined : findPackage(name, above)
}
