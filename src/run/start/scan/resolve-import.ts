import { realpathSync, statSync } from 'node:fs'
import { dirname, extname, isAbsolute, join, resolve, sep } from 'node:path'
import type { ProjectPlaces } from '../../queue.ts'

/** How a project's modules are found. */
export interface Places extends Omit<ProjectPlaces, 'setupFiles'> {
  /** The project's root folder. */
  root: string
}

/** The file that an import means. `isMissing`: it should be a file of the project, and is none that can be read. */
export interface Resolved {
  path?: string
  isMissing?: boolean
}

const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json']
const WRITTEN_FOR: Record<string, string[]> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
}
/** Files with code that the parser does not know. */
const OTHER_CODE = ['.vue', '.svelte', '.astro', '.mdx']

/** Finds the file of an import. Empty for a module of a package or of Node.js, and for what is no code, such as styles. */
export function resolveImport(specifier: string, importer: string, places: Places): Resolved {
  const named = withAlias(specifier, places.aliases)
  // With a query, a module is something else than its code: its text or its address.
  if (named.includes('?') || named.includes('\0')) return {}
  if (!named.startsWith('.') && !isAbsolute(named)) return {}
  const base = named.startsWith('.') ? resolve(dirname(importer), named) : fromRoot(named, places)
  const found = candidatesOf(base).find(isFile)
  const extension = extname(found ?? base)
  if (OTHER_CODE.includes(extension)) return { isMissing: true }
  if (extension !== '' && !EXTENSIONS.includes(extension)) return {}
  if (found === undefined) return { isMissing: true }
  const path = real(found)
  return path !== undefined && isOfProject(path, places) ? { path } : {}
}

/** True for a file of the project itself, and not of a package. */
function isOfProject(path: string, { folders }: Places): boolean {
  return !path.split(sep).includes('node_modules') && folders.some((folder) => path.startsWith(`${folder}${sep}`))
}

function withAlias(specifier: string, aliases: Places['aliases']): string {
  for (const { find, replacement } of aliases) {
    if (typeof find !== 'string') {
      if (specifier.search(find) !== -1) return specifier.replace(find, replacement)
    } else if (specifier === find || specifier.startsWith(find.endsWith('/') ? find : `${find}/`))
      return replacement + specifier.slice(find.length)
  }
  return specifier
}

/** Vite takes `/src/a.ts` from the root of the project. */
function fromRoot(path: string, { root }: Places): string {
  return isOfFolder(path, root) ? path : join(root, path)
}

function isOfFolder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}${sep}`)
}

function candidatesOf(base: string): string[] {
  const extension = extname(base)
  const written = (WRITTEN_FOR[extension] ?? []).map((other) => base.slice(0, -extension.length) + other)
  return [
    base,
    ...written,
    ...EXTENSIONS.map((end) => base + end),
    ...EXTENSIONS.map((end) => join(base, `index${end}`)),
  ]
}

/** True for a regular file: a pipe or a device would never end. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true
  } catch {
    return false
  }
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
