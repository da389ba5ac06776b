import type { Stats } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { type Fields, isObject, isText } from '../../model/json.ts'
import { findSource, statOf } from './find-source.ts'

/** A source file as it was when it was read. */
export interface KeptFile {
  size: number
  /** The time of the last change on disk: contents or attributes. Milliseconds. */
  changedMs: number
  hash: string
  /** True if the text may name a model. Only such files, and those that import them, have to be parsed. */
  hasNames: boolean
  /** The keys of the files of the project that it imports, by the modules as they are written. Empty where no file was found. */
  targets: Readonly<Record<string, string>>
}

/** What a test file names in its source and in the files that it imports. */
export interface KeptTest {
  /** Each with the full name of the test that names it. */
  models: { repo: string; revision: string; selection: string; test?: string }[]
  ids: { id: string; test?: string }[]
  /** False if the file may load further models, as far as the sources tell. */
  isWhole: boolean
  digest: string
}

/**
 * What a scan keeps for the next run. A key is a path relative to the project, with forward slashes. Each test says what the files
 * say as they are described here.
 */
export interface KeptSources {
  files: Map<string, KeptFile>
  tests: Map<string, KeptTest>
}

/** Differs for versions that read something else. */
const VERSION = 3

export function toKey(path: string): string {
  return path.split(sep).join('/')
}

/** From JSON, which is outside input. Empty if it is of another version. Damaged parts are left out. */
export function parseKept(kept: unknown): KeptSources {
  const { version, files, tests } = isObject(kept) ? kept : {}
  const fields = (value: unknown) => (version === VERSION && isObject(value) ? Object.entries(value) : [])
  return {
    files: new Map(fields(files).flatMap(([key, file]) => (isKeptFile(file) ? [[key, file]] : []))),
    tests: new Map(fields(tests).flatMap(([key, test]) => (isKeptTest(test) ? [[key, test]] : []))),
  }
}

export function storeKept({ files, tests }: KeptSources): object {
  return { version: VERSION, files: Object.fromEntries(files), tests: Object.fromEntries(tests) }
}

/** What the test files name, if that is kept and none of the files has changed. `keys`: test files and setup files. */
export function unchangedTests({ files, tests }: KeptSources, root: string, keys: string[]) {
  const reached = new Set(keys)
  for (const key of reached) {
    const file = files.get(key)
    const path = join(root, key)
    if (!file || !isUnchanged(file, path, statOf(path))) return undefined
    for (const target of targetsOf(file)) reached.add(target)
  }
  return tests
}

/** The files that a file imports, as far as they were found. */
export function targetsOf(file: KeptFile | undefined): string[] {
  return Object.values(file?.targets ?? {}).filter((target) => target !== '')
}

/** True if the file at a path is as it was, and what it imports is still not found where it was not. */
export function isUnchanged({ size, changedMs, targets }: KeptFile, path: string, stats: Stats | undefined): boolean {
  if (stats?.size !== size || stats.ctimeMs !== changedMs) return false
  return Object.entries(targets).every(
    ([specifier, target]) => target !== '' || findSource(resolve(dirname(path), specifier)) === undefined,
  )
}

function isKeptFile(file: unknown): file is KeptFile {
  return (
    isObject(file) &&
    typeof file.size === 'number' &&
    typeof file.changedMs === 'number' &&
    typeof file.hasNames === 'boolean' &&
    isText(file.hash) &&
    isObject(file.targets) &&
    Object.values(file.targets).every(isText)
  )
}

function isKeptTest(test: unknown): test is KeptTest {
  return (
    isObject(test) &&
    isText(test.digest) &&
    typeof test.isWhole === 'boolean' &&
    isListOf(test.models, ({ repo, revision, selection }) => [repo, revision, selection].every(isText)) &&
    isListOf(test.ids, ({ id }) => isText(id))
  )
}

function isListOf(list: unknown, isRight: (fields: Fields) => boolean): boolean {
  const isEach = (each: unknown) => isObject(each) && isRight(each) && (each.test === undefined || isText(each.test))
  return Array.isArray(list) && list.every(isEach)
}
