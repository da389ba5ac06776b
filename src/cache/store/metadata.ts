import { readFileSync } from 'node:fs'
import { DEFAULT_ENDPOINT } from '../../model/endpoint.ts'
import { type Entry, entryKey } from '../../model/entry.ts'
import { isAbsent } from './atomic-write.ts'
import { stampOf } from './blobs.ts'
import { removeReplacements, replaceDurably, syncToDisk } from './durable.ts'
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
  /** The file's content until all of it is needed. */
  #text: string | undefined
  /** All records, once they are needed; one for all who ask. */
  #reading: Promise<Map<string, unknown>> | undefined
  /** Those that were looked at one by one. */
  #found: Entries = new Map()
  #all: Entries | undefined

  constructor(
    readonly layout: Layout,
    readonly onProblem: (message: string) => void = () => undefined,
    /** Which endpoint an entry without a record is assigned to, where several stated the same files. */
    readonly endpoint: string = DEFAULT_ENDPOINT,
  ) {}

  /** The entry with this `entryKey`, or undefined. All callers get the same object: it is only to be read. */
  async find(key: string): Promise<Readonly<Entry> | undefined> {
    await this.#refresh()
    const found = this.#found
    const known = (this.#all ?? found).get(key)
    if (known || this.#all) return known
    const record = await this.#readOne(key)
    const entry = record === undefined ? undefined : fromRecord(record)
    if (entry) found.set(key, entry)
    return entry
  }

  /** All entries that can be read. As with `find`. */
  async all(): Promise<ReadonlyMap<string, Entry>> {
    await this.#refresh()
    const reading = this.#read()
    const records = await reading
    // It may have changed again meanwhile.
    const isCurrent = this.#reading === reading
    if (isCurrent && this.#all) return this.#all
    const entries = checked(records)
    if (isCurrent) this.#all = entries
    return entries
  }

  /**
   * Reads, changes and writes under a lock, so that updates of many processes lose nothing. `change` is called again, with
   * what is recorded by then, when another process took the lock in between. Without `isLasting` a loss of power may bring
   * back the whole file of before.
   */
  async update(change: (entries: Entries) => void, { isLasting = true } = {}): Promise<void> {
    const isWritten = () =>
      withLock(`${this.layout.metadata}.lock`, async (hold) => {
        removeReplacements(this.layout.metadata)
        // Two writes in a row may leave the same stamp where times are coarse: the file is read again before it is replaced.
        this.#stamp = ''
        await this.#refresh()
        const records = await this.#read()
        const entries = checked(records)
        change(entries)
        const sorted = [...entries.values()].sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1))
        const newer = [...records.values()].filter(isOfNewerVersion)
        return replaceDurably(this.layout.metadata, textOf([...sorted.map(toRecord), ...newer]), () => hold.isOurs())
      })
    while (!(await isWritten()));
    if (isLasting) await syncToDisk(this.layout.directory)
  }

  async #refresh(): Promise<void> {
    const stamp = stampOf(this.layout.metadata)
    const text = stamp ? `${stamp.ino} ${stamp.mtimeMs} ${stamp.size}` : 'missing'
    if (text === this.#stamp) return
    this.#text = stamp && readIfThere(this.layout.metadata)
    this.#reading = undefined
    this.#found = new Map()
    this.#all = undefined
    this.#stamp = text
    if (this.#text === undefined) await this.#keep(this.#rebuild('is missing'))
  }

  /** All records. */
  #read(): Promise<Map<string, unknown>> {
    return this.#reading ?? this.#keep(this.#readAll(this.#text ?? ''))
  }

  /** What fails is tried again by who asks next. */
  #keep(reading: Promise<Map<string, unknown>>): Promise<Map<string, unknown>> {
    this.#reading = reading
    reading.catch(() => {
      if (this.#reading === reading) this.#stamp = ''
    })
    return reading
  }

  async #readAll(text: string): Promise<Map<string, unknown>> {
    return recordsIn(text) ?? (await this.#rebuild('is damaged'))
  }

  /** One record: of a thousand, to read all takes most of a lookup's time. */
  async #readOne(key: string): Promise<unknown> {
    const found = this.#text === undefined || this.#reading ? undefined : recordByLine(this.#text, key)
    return found ? found.record : (await this.#read()).get(key)
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

function checked(records: Map<string, unknown>): Entries {
  const entries: Entries = new Map()
  for (const [key, record] of records) {
    const entry = fromRecord(record)
    if (entry) entries.set(key, entry)
  }
  return entries
}

const [FIRST, BETWEEN, LAST] = ['[\n', ',\n', '\n]\n']

/** A line each: half the bytes of indented ones, still for people to look at, and one can be read without the others. */
function textOf(records: unknown[]): string {
  return `${FIRST}${records.map((record) => JSON.stringify(record)).join(BETWEEN)}${LAST}`
}

/** Undefined where it is no list of records. */
function recordsIn(text: string): Map<string, unknown> | undefined {
  try {
    const records: unknown = JSON.parse(text)
    return Array.isArray(records) ? new Map(records.flatMap(keyed)) : undefined
  } catch {
    return undefined
  }
}

/** The record of a key, or that there is none; undefined where that can't be told but from the whole. */
function recordByLine(text: string, key: string): { record: unknown } | undefined {
  if (!text.startsWith(`${FIRST}{`) || !text.endsWith(`}${LAST}`)) return undefined
  const snapshot = key.slice(key.lastIndexOf('@') + 1)
  // Of two for one key the last counts, as it does where all are read.
  for (let at = text.lastIndexOf(snapshot); at > 0; ) {
    const start = text.lastIndexOf('\n', at) + 1
    const records = recordsIn(`[${text.slice(start, text.indexOf('\n', at)).replace(/,$/, '')}]`)
    if (!records) return undefined
    if (records.has(key)) return { record: records.get(key) }
    at = text.lastIndexOf(snapshot, start - 1)
  }
  return { record: undefined }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path).toString()
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function keyed(record: unknown): [string, unknown][] {
  if (typeof record !== 'object' || record === null || !('repo' in record) || !('commit' in record)) return []
  const { repo, commit } = record
  const snapshot = 'snapshot' in record ? record.snapshot : commit
  if (typeof repo !== 'string' || typeof snapshot !== 'string') return []
  // A newer version's record does not hide ours of the same snapshot: without ours, all files would be verified in each run.
  const key = `${repo}@${snapshot}`
  return [[isOfNewerVersion(record) ? `newer ${key}` : key, record]]
}
