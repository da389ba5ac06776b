import { realpathSync } from 'node:fs'
import { dirname, extname, isAbsolute, join, resolve, sep } from 'node:path'
import type { ProjectPlaces } from '../../queue.ts'
import { EXTENSIONS, findSource } from '../find-source.ts'

/**
 * The source file of the project that an import means. Undefined for a module of a package or of Node.js, and for what is no code. Empty
 * for a relative path where no file is.
 * Relative paths are found without the runner: its own resolver takes longer.
 */
export async function resolveImport(specifier: string, importer: string, places: ProjectPlaces) {
  // With a query, a module is something else than its code: its text or its address.
  if (specifier.includes('?')) return undefined
  const isRelative = specifier.startsWith('.')
  const path = isRelative ? resolve(dirname(importer), specifier) : await places.resolve?.(specifier, importer)
  const found = path !== undefined && isAbsolute(path) ? findSource(path) : undefined
  if (found === undefined && isRelative) return ''
  if (found === undefined || !EXTENSIONS.includes(extname(found))) return undefined
  const real = realpathSync(found)
  // Packages are not read.
  const isOfProject = places.folders.some((folder) => real.startsWith(join(folder, sep)))
  return isOfProject && !real.split(sep).includes('node_modules') ? real : undefined
}
