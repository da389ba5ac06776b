import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createHash } from '../../../platform/late-crypto.ts'
import { originals } from '../../../platform/originals.ts'
import { Slices } from '../../../platform/slices.ts'
import type { ProjectPlaces } from '../../queue.ts'
import { statOf } from '../find-source.ts'
import { isUnchanged, type KeptFile, targetsOf, toKey } from '../kept-sources.ts'
import { glanceAt } from './glance.ts'
import { resolveImport } from './resolve-import.ts'

/** Bytes. Larger files are generated. */
const LARGEST_FILE = 2 ** 19
const LARGEST_DATA = 2 ** 20
/** Code with such lines is minified, unless it is short: then a line may be data of a test. */
const LONG_LINE = /[^\n]{5000}/
const SHORT_FILE = 100_000

/** The source files of a project, by key. Only new and changed files are read. */
export class SourceFiles {
  /** The keys of files that are new, changed or gone since the last scan. */
  readonly changed = new Set<string>()
  readonly #resolved = new Map<string, Promise<string | undefined>>()
  readonly #slices = new Slices()
  readonly #places: ProjectPlaces

  constructor(
    private readonly root: string,
    places: ProjectPlaces,
    /** What the last scan kept. Changed files are replaced. */
    readonly files: Map<string, KeptFile>,
    /** Work ends then, on the clock `monotonic`. */
    readonly deadline: number,
  ) {
    this.#places = { ...places, folders: places.folders.map(realPathOf) }
  }

  /** Reads files and what they import, at any distance. False if the time was too short for all. */
  async read(keys: string[]): Promise<boolean> {
    const todo = new Set(keys)
    for (const key of todo) {
      if (!(await this.hasTime())) return false
      await this.#update(key)
      for (const target of targetsOf(this.files.get(key))) todo.add(target)
      if (this.files.has(key)) continue
      // What it was for others may be another file now.
      for (const [importer, file] of this.files)
        if (todo.has(importer) && targetsOf(file).includes(key)) {
          this.files.delete(importer)
          todo.delete(importer)
          todo.add(importer)
        }
    }
    return true
  }

  pathOf(key: string): string {
    return join(this.root, key)
  }

  /** The text of a file. Undefined for what can't be read, is binary, or was generated. */
  textOf(key: string): string | undefined {
    try {
      const path = this.pathOf(key)
      const isCode = !key.endsWith('.json')
      if ((statOf(path)?.size ?? 0) > (isCode ? LARGEST_FILE : LARGEST_DATA)) return undefined
      const text = readFileSync(path, 'utf8')
      return text.includes('\0') || (isCode && isMinified(text)) ? undefined : text
    } catch {
      return undefined
    }
  }

  async hasTime(): Promise<boolean> {
    if (this.#slices.areOver) await this.#slices.pause()
    return originals.monotonic() < this.deadline
  }

  async #update(key: string): Promise<void> {
    const known = this.files.get(key)
    const path = this.pathOf(key)
    const stats = statOf(path)
    if (known && isUnchanged(known, path, stats)) return
    if (!stats) {
      this.files.delete(key)
      this.changed.add(key)
      return
    }
    const { size, ctimeMs: changedMs } = stats
    const text = this.textOf(key)
    const hash = createHash('sha256')
      .update(text ?? '')
      .digest('hex')
      .slice(0, 16)
    if (known?.hash === hash && !misses(known)) {
      this.files.set(key, { ...known, size, changedMs })
      return
    }
    this.changed.add(key)
    // What can't be read may name a model.
    const { imports, hasNames } = text === undefined ? { imports: [], hasNames: true } : glanceAt(text)
    const targets = new Map<string, string>()
    for (const specifier of imports) {
      const target = await this.#resolve(specifier, path)
      if (target !== undefined) targets.set(specifier, target && toKey(relative(this.root, target)))
    }
    this.files.set(key, { size, changedMs, hash, hasNames, targets: Object.fromEntries(targets) })
  }

  /** A module has the same name in all files of a folder. */
  #resolve(specifier: string, importer: string): Promise<string | undefined> {
    const key = JSON.stringify([dirname(importer), specifier])
    const known = this.#resolved.get(key) ?? resolveImport(specifier, importer, this.#places).catch(() => undefined)
    this.#resolved.set(key, known)
    return known
  }
}

/** True if a relative import of a file was not found. */
export function misses({ targets }: KeptFile): boolean {
  return Object.values(targets).includes('')
}

function realPathOf(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}

function isMinified(code: string): boolean {
  return code.length > SHORT_FILE && LONG_LINE.test(code)
}
