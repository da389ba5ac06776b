import { type Stats, statSync } from 'node:fs'
import { extname, join, sep } from 'node:path'

export const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const WRITTEN_FOR: Record<string, string[]> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
}

/** The file that an import of this path means. Undefined if there is none. */
export function findSource(path: string): string | undefined {
  const extension = extname(path)
  const written = (WRITTEN_FOR[extension] ?? []).map((other) => path.slice(0, -extension.length) + other)
  const ends = [...EXTENSIONS, ...EXTENSIONS.map((end) => join(sep, `index${end}`))]
  return [path, ...written, ...ends.map((end) => path + end)].find(statOf)
}

/** Undefined for what is no file, or can't be looked at. */
export function statOf(path: string): Stats | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false })
    return stats?.isFile() ? stats : undefined
  } catch {
    return undefined
  }
}
