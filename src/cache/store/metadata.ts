import { readFileSync } from 'node:fs'
import { DEFAULT_ENDPOINT } from '../../config/token.ts'
import { type Entry, entryKey } from '../../model/entry.ts'
import { nameOf } from '../../model/errors.ts'
import { isAbsent, writeAtomically } from './atomic-write.ts'
import { stampNow } from './blobs.ts'
import type { Layout } from './layout.ts'
import { withLock } from './lock.ts'
import { fromRecord, isOfNewerVersion, toRecord } from './record.ts'

/** The entries of a cache, by `entryKey`. */
export type Entries = Map<string, Entry>

/**
 * Reads and writes `cache_metadata.json`. What is read is kept until the file changes; a record is checked when it is
 * first looked at, so that one lookup among a thousand records does not pay for all.
 */
export class Metadata {
  /** What the file was like when it was read: nothing yet, `missing`, or its stamp. */
  #stamp = ''
  #records: Map<string, unknown> = new Map()
  /** Those that were looked at one by one. */
  #found: Entries = new Map()
  #all: Entries | undefined

  constructor(
    readonly layout: Layout,
    readonly onProblem: (message: string) => void = () => undefined,
    /** Where what has lost its record is taken to be from. */
    readonly endpoint: string = DEFAULT_ENDPOINT,
  ) {}

  /** The entry of a repo at a commit, or undefined. Everybody is given the same: it is only to be read. */
  async find(key: string): Promise<Readonly<Entry> | undefined> {
    await this.#refresh()
    const known = (this.#all ?? this.#found).get(key)
    if (known || this.#all) return known
    const record = this.#records.get(key)
    const entry = record === undefined ? undefined : fromRecord(record)
    if (entry) this.#found.set(key, entry)
    return entry
  }

  /** All entries that can be read. As with `find`. */
  async all(): Promise<ReadonlyMap<string, Entry>> {
    await this.#refresh()
    this.#all ??= this.#check()
    return this.#all
  }

  #check(): Entries {
    const entries: Entries = new Map()
    for (const [key, record] of this.#records) {
      const entry = fromRecord(record)
      if (entry) entries.set(key, entry)
    }
    return entries
  }

  /** Reads, changes and writes under a lock, so that updates of many processes lose nothing. */
  async update(change: (entries: Entries) => void): Promise<void> {
    await withLock(`${this.layout.metadata}.lock`, async () => {
      // Where times are coarse, two writes in a row may leave the same stamp: what is written over is read anew.
      this.#stamp = ''
      await this.#refresh()
      const entries = this.#check()
      change(entries)
      const sorted = [...entries.values()].sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
      const newer = [...this.#records.values()].filter(isOfNewerVersion)
      // A line each: half the bytes of indented ones, and still for people to look at.
      const lines = [...sorted.map(toRecord), ...newer].map((record) => JSON.stringify(record))
      await writeAtomically(this.layout.metadata, `[\n${lines.join(',\n')}\n]\n`)
    })
  }

  async #refresh(): Promise<void> {
    const stamp = stampNow(this.layout.metadata)
    const text = stamp ? `${stamp.ino} ${stamp.mtimeMs} ${stamp.size}` : 'missing'
    if (text === this.#stamp) return
    this.#records = stamp ? await this.#read() : await this.#rebuild('is missing')
    this.#found = new Map()
    this.#all = undefined
    this.#stamp = text
  }

  async #read(): Promise<Map<string, unknown>> {
    try {
      const records: unknown = JSON.parse(readFileSync(this.layout.metadata).toString())
      if (Array.isArray(records)) return new Map(records.flatMap(keyed))
    } catch (error) {
      if (isAbsent(error)) return this.#rebuild('is missing')
      if (nameOf(error) !== 'SyntaxError') throw error
    }
    return this.#rebuild('is damaged')
  }

  /** What was recorded is lost; what was downloaded is not. */
  async #rebuild(what: string): Promise<Map<string, unknown>> {
    const { rebuildEntries } = await import('./rebuild.ts')
    const entries = await rebuildEntries(this.layout, this.endpoint)
    if (entries.length > 0 || what !== 'is missing')
      this.onProblem(
        `${this.layout.metadata} ${what}: ${entries.length} models were found in ${this.layout.hub}, and are verified when they are next asked for.`,
      )
    return new Map(entries.map((entry) => [entryKey(entry), toRecord(entry)]))
  }
}

function keyed(record: unknown): [string, unknown][] {
  if (typeof record !== 'object' || record === null || !('repo' in record) || !('commit' in record)) return []
  const { repo, commit } = record
  return typeof repo === 'string' && typeof commit === 'string' ? [[`${repo}@${commit}`, record]] : []
}
