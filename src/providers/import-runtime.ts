import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModelCacheError } from '../model/errors.ts'

/**
 * Imports a runtime as the project's own modules would. The tests then use the same copy, with the same classes and settings. A
 * library resolves the name, because `import.meta.resolve` of Node.js 20 takes no parent. Throws `RUNTIME_MISSING`.
 */
export async function importRuntime<Runtime>(name: string, root: string): Promise<Runtime> {
  let url: string
  const { resolve } = await import('import-meta-resolve')
  try {
    url = resolve(name, pathToFileURL(join(root, 'package.json')).href)
  } catch (cause) {
    throw new ModelCacheError({
      code: 'RUNTIME_MISSING',
      asked: `Package ${name}`,
      reason: `It is not installed where ${root} would find it.`,
      nextStep: `Install it: \`npm install --save-dev ${name}\`.`,
      cause,
    })
  }
  return (await import(url)) as Runtime
}
