import { readFileSync } from 'node:fs'
import { DEFAULT_ENDPOINT } from '../../../model/endpoint.ts'
import { type Entry, entryKey } from '../../../model/entry.ts'
import { isAbsent } from '../atomic-write.ts'
import { stampOf } from '../blobs.ts'
import { removeReplacements, replaceDurably, syncToDisk } from '../durable.ts'
import type { Layout } from '../layout.ts'
import { withLock } from '../locks/lock.ts'
import { fromRecord, isOfNewerVersion, toRecord } from './record.ts'

/** The entries of a cache, by `entryKey`. */
export type Entries = Map<string, Entry>

/**
 * Reads and writes `cache_metadata.json`. The content is kept in memory until the file changes. A record is validated when it is
 * first looked up, so that one lookup among a thousand records does not validate all of them.
 */
export class Metadata {
  /** The state of the file when it was read: its stamp as text, or `missing`. Empty before the first read. */
  #stamp = ''
  /** The file's content. */
  #text: string | undefined
  /** All records, read when they are first needed. All callers share one read. */
  #reading: Promise<Map<string, unknown>> | undefined
  /** The entries that were looked up one by one. */
  #found: Entries = new Map()
  /** All entries, once they were asked for. */
  #all: Entries | undefined

  constructor(
    readonly layout: Layout,
    readonly onProblem: (message: string) => void = () => undefined,
    /** The endpoint to which an entry without a record is assigned when several endpoints stated the same files. */
    readonly endpoint: string = DEFAULT_ENDPOINT,
  ) {}

  /** The entry with this `entryKey`, or undefined. All callers get the same object and must not change it. */
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

  /** All entries whose records are valid, by `entryKey`. All callers get the same map and must not change it. */
  async all(): Promise<ReadonlyMap<string, Entry>> {
    await this.#refresh()
    const reading = this.#read()
    const records = await reading
    // False when the file changed while it was read.
    const isCurrent = this.#reading === reading
    if (isCurrent && this.#all) return this.#all
    const entries = checked(records)
    if (isCurrent) this.#all = entries
    return entries
  }

  /**
   * Reads, changes and writes the file under a lock, so that no update of another process is lost. When another process took the lock
   * meanwhile, `change` is called again with the current entries. Without `isLasting`, a loss of power may undo the update as a whole.
   */
  async update(change: (entries: Entries) => void, { isLasting = true } = {}): Promise<void> {
    const isWritten = () =>
      withLock(`${this.layout.metadata}.lock`, async (hold) => {
        removeReplacements(this.layout.metadata)
        // The file is read again in any case: two quick writes may have the same stamp when the file system's times are coarse.
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

  /** Shares a read among callers. When the read fails, the next call reads again. */
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

  /** Reads one record. With a thousand records, parsing all of them would take most of a lookup's time. */
  async #readOne(key: string): Promise<unknown> {
    const found = this.#text === undefined || this.#reading ? undefined : recordByLine(this.#text, key)
    return found ? found.record : (await this.#read()).get(key)
  }

  /** Makes new records of the downloaded files, because the recorded ones are lost. */
  async #rebuild(what: string): Promise<Map<string, unknown>> {
    const [{ rebuildEntries }, { readPackedModels }] = await Promise.all([
      import('./rebuild.ts'),
      import('../packs/packed-models.ts'),
    ])
    const packed = readPackedModels(this.layout).flatMap(({ model }) => keyed(model?.record))
    const found = await rebuildEntries(this.layout, this.endpoint)
    const entries = new Map([...packed, ...found.map((entry): [string, unknown] => [entryKey(entry), toRecord(entry)])])
    if (entries.size > 0 || what !== 'is missing')
      this.onProblem(
        `${this.layout.metadata} ${what}. ${entries.size} models were found in ${this.layout.directory}. They are verified when they are next asked for.`,
      )
    return entries
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

/** One line for each record: half the bytes of indented JSON, still readable for people, and a record can be parsed by itself. */
function textOf(records: unknown[]): string {
  return `${FIRST}${records.map((record) => JSON.stringify(record)).join(BETWEEN)}${LAST}`
}

/**
 * The records of a JSON array, by their keys. Undefined when the text is no JSON array. When two records have the same key, the first one
 * counts: an older version of this package writes its own records first, and keeps behind them those that it can't read.
 */
function recordsIn(text: string): Map<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    if (!Array.isArray(parsed)) return undefined
    const records = new Map<string, unknown>()
    for (const [key, record] of parsed.flatMap(keyed)) if (!records.has(key)) records.set(key, record)
    return records
  } catch {
    return undefined
  }
}

/** Finds the record of a key by its line; `record` is undefined when there is none. Undefined when the whole text has to be parsed. */
function recordByLine(text: string, key: string): { record: unknown } | undefined {
  if (!text.startsWith(`${FIRST}{`) || !text.endsWith(`}${LAST}`)) return undefined
  const snapshot = key.slice(key.lastIndexOf('@') + 1)
  for (let at = text.indexOf(snapshot); at > 0; ) {
    const end = text.indexOf('\n', at)
    const records = recordsIn(`[${text.slice(text.lastIndexOf('\n', at) + 1, end).replace(/,$/, '')}]`)
    if (!records) return undefined
    if (records.has(key)) return { record: records.get(key) }
    at = text.indexOf(snapshot, end)
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
  // A record of a newer version has a key of its own, so that it does not replace our record of the same snapshot. Without our record,
  // every run would verify all files again.
  const key = `${repo}@${snapshot}`
  return [[isOfNewerVersion(record) ? `newer ${key}` : key, record]]
}
