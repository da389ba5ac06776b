import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModelCacheError } from '../model/errors.ts'

/**
 * Imports a runtime as the project's own modules would: the same copy, so that its classes and settings are one with
 * those that the tests see. Node.js 20 can't name a parent in `import.meta.resolve`; a library does it.
 * Throws `RUNTIME_MISSING`.
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
