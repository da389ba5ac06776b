import { statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { isObject, isText } from '../../model/json.ts'
import { type History, knownOf } from '../history.ts'
import type { NamedModels, ProjectPlaces, Queue } from '../queue.ts'

/** A file as it was when it was read: path, bytes, time of the last change, hash, facts, and the files that it imports. */
type KeptFile = [key: string, size: number, changedMs: number, hash: string, facts: unknown, targets: object]

/** What a scan keeps for the next run. The files are named relative to the project, with forward slashes. */
export interface KeptSources {
  version: number
  /** How imports were resolved: see `wayOf`. */
  way: string
  files: KeptFile[]
  /** The digest of what each test file names. */
  tests: [key: string, digest: string][]
}

/** Differs for versions that read other facts. */
export const KEPT_VERSION = 1

/** The digest of a test file that names no model, as far as its sources tell. */
export const NOTHING_NAMED = ''

/** Differs if imports are resolved in another way. */
export function wayOf({ aliases, setupFiles }: ProjectPlaces): string {
  return JSON.stringify([aliases.map(({ find, replacement }) => [String(find), replacement]), setupFiles])
}

/**
 * What the queued test files name, if nothing has to be read for that: no source file has changed, and each test file either names
 * nothing, or ran in whole since. Then neither the scan nor the parser is loaded. Undefined otherwise.
 */
export function settledSources(
  kept: unknown,
  root: string,
  { files, testNamePattern }: Queue,
  places: ProjectPlaces,
  history: History | undefined,
): ReadonlyMap<string, NamedModels> | undefined {
  if (!isKept(kept) || kept.way !== wayOf(places)) return undefined
  const digests = new Map(kept.tests)
  const settled = new Map<string, NamedModels>()
  for (const testFile of files) {
    const digest = digests.get(toKey(testFile))
    const known = history && knownOf(history, testFile, testNamePattern)
    const isSettled = digest === NOTHING_NAMED || (known?.isWhole && known.sources === digest)
    if (digest === undefined || !isSettled) return undefined
    settled.set(testFile, { models: [], ids: [], isWhole: true, digest })
  }
  const read = [...files, ...places.setupFiles.map((path) => relative(root, path))]
  return areUnchanged(kept, root, read.map(toKey)) ? settled : undefined
}

function areUnchanged({ files }: KeptSources, root: string, keys: string[]): boolean {
  const byKey = new Map(files.map((file) => [file[0], file]))
  const reached = new Set(keys)
  for (const key of reached) {
    const file = byKey.get(key)
    const stats = file && statSync(join(root, key), { throwIfNoEntry: false })
    if (!stats || stats.size !== file[1] || stats.ctimeMs !== file[2]) return false
    for (const target of Object.values(file[5])) if (isText(target)) reached.add(target)
  }
  return true
}

/** A path relative to the project, with forward slashes on each platform: the project may lie elsewhere in the next run. */
export function toKey(path: string): string {
  return path.split(sep).join('/')
}

/** The shape is checked as far as it is used here. It is outside input. */
export function isKept(kept: unknown): kept is KeptSources {
  if (!isObject(kept) || kept.version !== KEPT_VERSION) return false
  const { files, tests } = kept
  return (
    Array.isArray(files) &&
    files.every((file) => Array.isArray(file) && isText(file[0]) && isObject(file[5])) &&
    Array.isArray(tests) &&
    tests.every((test) => Array.isArray(test) && isText(test[0]) && isText(test[1]))
  )
}
