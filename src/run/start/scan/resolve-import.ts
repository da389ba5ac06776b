import { realpathSync } from 'node:fs'
import { dirname, extname, isAbsolute, join, resolve, sep } from 'node:path'
import type { ProjectPlaces } from '../../queue.ts'
import { statOf } from '../kept-sources.ts'

const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const WRITTEN_FOR: Record<string, string[]> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
}

/**
 * The source file of the project that an import means. Undefined for a module of a package or of Node.js, and for what is no code.
 * Relative paths are found without the runner: its own resolver takes longer.
 */
export async function resolveImport(specifier: string, importer: string, places: ProjectPlaces) {
  // With a query, a module is something else than its code: its text or its address.
  if (specifier.includes('?')) return undefined
  const isRelative = specifier.startsWith('.')
  const path = isRelative ? resolve(dirname(importer), specifier) : await places.resolve?.(specifier, importer)
  const found = path !== undefined && isAbsolute(path) ? candidatesOf(path).find(statOf) : undefined
  if (found === undefined || !EXTENSIONS.includes(extname(found))) return undefined
  const real = realpathSync(found)
  // Packages are not read.
  const isOfProject = places.folders.some((folder) => real.startsWith(join(folder, sep)))
  return isOfProject && !real.split(sep).includes('node_modules') ? real : undefined
}

function candidatesOf(base: string): string[] {
  const extension = extname(base)
  const written = (WRITTEN_FOR[extension] ?? []).map((other) => base.slice(0, -extension.length) + other)
  const ends = [...EXTENSIONS, ...EXTENSIONS.map((end) => join(sep, `index${end}`))]
  return [base, ...written, ...ends.map((end) => base + end)]
}
