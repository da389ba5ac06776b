import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const NAMES = ['js', 'ts', 'mjs', 'cjs', 'mts', 'cts', 'json'].map((end) => `jest.config.${end}`)

/**
 * The file that Jest reads in a folder: `jest.config.*`, or a `package.json` with the key `jest`. As Jest, it looks in the folders above
 * up to the first `package.json`. Undefined if there is none: Jest then has its defaults.
 */
export function findJestConfig(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) return found
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) return hasJestKey(manifest) ? manifest : undefined
    if (folder === dirname(folder)) return undefined
  }
}

function hasJestKey(manifest: string): boolean {
  try {
    return Object.hasOwn(JSON.parse(readFileSync(manifest, 'utf8')), 'jest')
  } catch {
    return false
  }
}
