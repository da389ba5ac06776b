import { readFileSync, type Stats, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { isObject, isText } from '../../../model/json.ts'
import { createHash } from '../../../platform/late-crypto.ts'
import { originals } from '../../../platform/originals.ts'
import { Slices } from '../../../platform/slices.ts'
import type { NamedModels, ProjectPlaces } from '../../queue.ts'
import { isKept, KEPT_VERSION, type KeptSources, toKey, wayOf } from '../settled-sources.ts'
import { type Facts, isFacts } from './facts.ts'
import { factsOfJson, glanceAt, hasNames, UNREADABLE } from './glance.ts'
import { leadingTo } from './named-models.ts'
import { resolveImport } from './resolve-import.ts'
import type { Source } from './values.ts'

/** Bytes. Larger files are generated, and are not read. */
const LARGEST_FILE = 2 ** 20
/** The files that are kept for one project. */
const MOST_FILES = 20_000

/** A source file as it was when it was read. */
interface ReadSource extends Source {
  size: number
  /** The time of the last change on disk: contents or attributes. Milliseconds. */
  changedMs: number
  hash: string
}

/** The source files of a project. What was read is kept for the next run, so that only changed files are read again. */
export class SourceFiles {
  /** By absolute path. */
  readonly files = new Map<string, ReadSource>()
  /** False if the time was too short to read all files. */
  isWhole = true
  #hasChanged = false
  #kept: Map<string, ReadSource>
  #tests: Map<string, string>
  #slices = new Slices()

  constructor(
    private readonly places: ProjectPlaces & { root: string },
    kept: unknown,
    /** Work ends then, on the clock `monotonic`. */
    private readonly deadline: number,
  ) {
    this.#kept = readKept(kept, places)
    this.#tests = new Map(isKept(kept) && kept.way === wayOf(places) ? kept.tests : [])
  }

  /** Reads files and what they import, at any distance. */
  async read(paths: string[]): Promise<void> {
    const isRead = await this.#readAll(new Set(paths))
    this.isWhole = (await this.#parseNeeded()) && isRead
  }

  /** What to keep for the next run. Undefined if that is kept already. `named`: what the test files name, by absolute path. */
  toKeep(named: ReadonlyMap<string, NamedModels>): KeptSources | undefined {
    const keyOf = (path: string) => toKey(relative(this.places.root, path))
    const told = [...named].map(([path, { digest }]): [string, string] => [keyOf(path), digest])
    const isNew = this.#hasChanged || told.some(([key, digest]) => this.#tests.get(key) !== digest)
    if (!isNew) return undefined
    // A changed file may be one of other test files, too.
    const before = this.#hasChanged ? [] : this.#tests
    const files = [...new Map([...this.#kept, ...this.files])].slice(-MOST_FILES)
    return {
      ...{ version: KEPT_VERSION, way: wayOf(this.places) },
      files: files.map(([path, { size, changedMs, hash, facts, targets }]) => {
        const kept = Object.entries(targets).map(([specifier, target]) => [specifier, keyOf(target)])
        return [keyOf(path), size, changedMs, hash, facts, Object.fromEntries(kept)]
      }),
      tests: this.isWhole ? [...new Map([...before, ...told])] : [],
    }
  }

  async #readAll(todo: Set<string>): Promise<boolean> {
    for (const path of todo) {
      if (!(await this.#hasTime())) return false
      const source = this.#read(path)
      if (!source) continue
      this.files.set(path, source)
      for (const target of Object.values(source.targets)) todo.add(target)
    }
    return true
  }

  /** Undefined if there is no such file. */
  #read(path: string): ReadSource | undefined {
    const known = this.#kept.get(path)
    const stats = statOf(path)
    if (!stats?.isFile()) return undefined
    const { size, ctimeMs: changedMs } = stats
    if (known?.size === size && known.changedMs === changedMs) return known
    this.#hasChanged = true
    if (size > LARGEST_FILE) return { size, changedMs, hash: '', facts: UNREADABLE, targets: {} }
    const text = textOf(path)
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
    if (known?.hash === hash) return { ...known, size, changedMs }
    return this.#withTargets(path, { size, changedMs, hash }, glanceFacts(path, text))
  }

  /** Parses the files that name models, and those that import such a file. */
  async #parseNeeded(): Promise<boolean> {
    // The second round knows of more files that they name nothing.
    for (const isImporterToo of [false, true]) {
      const named = (path: string) => hasNames(this.files.get(path)?.facts ?? UNREADABLE)
      const needed = isImporterToo ? leadingTo(this.files, named) : new Set([...this.files.keys()].filter(named))
      for (const [path, source] of this.files) {
        if (source.facts.isParsed || !needed.has(path)) continue
        if (!(await this.#hasTime())) return false
        const { parseFacts } = await import('./parse-facts.ts')
        this.#hasChanged = true
        const { imports } = source.facts
        const facts = parseFacts(textOf(path), path) ?? { ...UNREADABLE, imports }
        this.files.set(path, this.#withTargets(path, source, facts))
      }
    }
    return true
  }

  #withTargets(path: string, { size, changedMs, hash }: Omit<ReadSource, keyof Source>, facts: Facts): ReadSource {
    let { isWhole } = facts
    const targets = new Map<string, string>()
    for (const specifier of facts.imports) {
      const { path: target, isMissing } = resolveImport(specifier, path, this.places)
      if (target !== undefined) targets.set(specifier, target)
      // A glance takes examples in comments for imports.
      if (isMissing && facts.isParsed) isWhole = false
    }
    return { size, changedMs, hash, facts: { ...facts, isWhole }, targets: Object.fromEntries(targets) }
  }

  async #hasTime(): Promise<boolean> {
    if (this.#slices.areOver) await this.#slices.pause()
    return originals.monotonic() < this.deadline
  }
}

function glanceFacts(path: string, text: string): Facts {
  // A binary file with the name of a source file.
  if (text.includes('\0')) return UNREADABLE
  if (!path.endsWith('.json')) return glanceAt(text)
  try {
    return factsOfJson(text)
  } catch {
    return UNREADABLE
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** The text of a file. Of a file that vanished just now, or may not be read: what a binary file has. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '\0'
  }
}

function readKept(kept: unknown, places: ProjectPlaces & { root: string }): Map<string, ReadSource> {
  if (!isObject(kept) || kept.version !== KEPT_VERSION || kept.way !== wayOf(places)) return new Map()
  return new Map(Array.isArray(kept.files) ? kept.files.flatMap((file) => readFile(file, places.root)) : [])
}

function readFile(file: unknown, root: string): [string, ReadSource][] {
  if (!Array.isArray(file)) return []
  const [key, size, changedMs, hash, facts, targets]: unknown[] = file
  const isRight = isText(key) && typeof size === 'number' && typeof changedMs === 'number' && isText(hash)
  if (!isRight || !isFacts(facts) || !isObject(targets)) return []
  const named = Object.entries(targets).flatMap(([specifier, target]) =>
    isText(target) ? [[specifier, join(root, target)]] : [],
  )
  return [[join(root, key), { size, changedMs, hash, facts, targets: Object.fromEntries(named) }]]
}
