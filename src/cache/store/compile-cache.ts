// Node.js can keep the compiled code of modules in a folder (`module.enableCompileCache`). It names the files, checks their hashes,
// replaces them by rename, and has a subfolder for each version of Node.js. It never removes anything.
import { lstatSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'
import { isSystemError, systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { isWritable } from './cache-folder.ts'
import type { Layout } from './layout.ts'
import { entriesIn } from './list-folder.ts'
import type { Origin } from './origin.ts'
import { isCompiledName, isCompileFolderName, isCompilingName } from './own-names.ts'
import { isMarked, removeBelow } from './remove-own.ts'
import { whoElseWrites } from './shared-folder.ts'

const DAY_MS = 24 * 3_600_000
const UNCHANGED_FOR_MS = 30 * DAY_MS
const ABANDONED_AFTER_MS = DAY_MS
// Some 80 MB. transformers.js and Vitest together have 170 modules.
const MOST_MODULES = 10_000

/**
 * The folder in which workers may keep compiled code. Creates it. Undefined if it can't be used, or if another user could change it:
 * compiled code is run without a look at the source.
 */
export function compileFolder(places: { layout: Layout; origin: Origin }): string | undefined {
  const { layout } = places
  try {
    if (!isMarked(layout) || !isWritable(layout) || whoElseWrites(places) !== undefined) return undefined
    return makeFolder(layout.compile) && isPrivate(layout.compile) ? layout.compile : undefined
  } catch (error) {
    if (isSystemError(error)) return undefined
    throw error
  }
}

function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 })
    return true
  } catch (error) {
    return systemCode(error) === 'EEXIST'
  }
}

/** True for a folder, and not a link, that only this user can enter. Windows gives folders no modes. */
function isPrivate(folder: string): boolean {
  const stats = lstatSync(folder)
  const user = process.geteuid?.()
  return stats.isDirectory() && (user === undefined || (stats.uid === user && (stats.mode & 0o077) === 0))
}

/** A number of modules whose compiled code is kept, and its bytes. */
export interface CompiledCode {
  files: number
  bytes: number
}

export function compiledCode(layout: Layout): CompiledCode {
  return sum(versionsIn(layout).map(({ path }) => sizeOf(path, modulesIn(path))))
}

interface Trim {
  /**
   * Removes all compiled code. Without it, only that of versions of Node.js that added nothing for 30 days or have too much,
   * and temporary files.
   */
  all?: boolean
  /** The largest number of modules for a version of Node.js. If it has more, all are removed. Default: 10,000. */
  mostModules?: number
  /** Only returns what would be removed. */
  dryRun?: boolean
}

/** Removes compiled code. Workers compile again what they miss, so it may be removed while they run. */
export async function trimCompiledCode(layout: Layout, options: Trim = {}): Promise<CompiledCode> {
  const { all, mostModules = MOST_MODULES, dryRun } = options
  const removed: CompiledCode[] = []
  for (const { path, changedAt } of versionsIn(layout)) {
    const modules = modulesIn(path)
    const isAll = all || originals.now() - changedAt > UNCHANGED_FOR_MS || modules.length > mostModules
    const names = isAll ? modules : modules.filter((name) => isLeftover(join(path, name)))
    removed.push(sizeOf(path, names))
    const chosen = new Set(names)
    if (!dryRun && chosen.size > 0) await removeBelow(layout, path, (name) => chosen.has(name))
  }
  return sum(removed)
}

/** True for a temporary file that a killed process or a full disk left. */
function isLeftover(path: string): boolean {
  if (!isCompilingName(basename(path))) return false
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats !== undefined && originals.now() - stats.mtimeMs > ABANDONED_AFTER_MS
}

/** The folders of the versions of Node.js, and when a file in them was last added or removed. */
function versionsIn({ compile }: Layout): { path: string; changedAt: number }[] {
  const names = entriesIn(compile).flatMap((entry) =>
    entry.isDirectory() && isCompileFolderName(entry.name) ? [entry.name] : [],
  )
  return names.flatMap((name) => {
    const path = join(compile, name)
    const stats = lstatSync(path, { throwIfNoEntry: false })
    return stats ? [{ path, changedAt: stats.mtimeMs }] : []
  })
}

function modulesIn(folder: string): string[] {
  return entriesIn(folder).flatMap((entry) => (entry.isFile() && isCompiledName(entry.name) ? [entry.name] : []))
}

function sizeOf(folder: string, names: string[]): CompiledCode {
  const bytes = names.map((name) => lstatSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
  return { files: names.length, bytes: bytes.reduce((all, each) => all + each, 0) }
}

function sum(parts: CompiledCode[]): CompiledCode {
  return parts.reduce((all, { files, bytes }) => ({ files: all.files + files, bytes: all.bytes + bytes }), {
    files: 0,
    bytes: 0,
  })
}
