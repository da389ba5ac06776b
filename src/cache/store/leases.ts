import { readdirSync, readFileSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { nameOf } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { diskNow, isAbsent, writeAtomically } from './atomic-write.ts'
import { stampOf } from './blobs.ts'
import type { Layout } from './layout.ts'
import { isLeaseName } from './own-names.ts'
import { isGone, isOwner, type Owner, ownerOf, stateOf } from './owner.ts'
import { removeFile } from './remove-own.ts'

const HEARTBEAT_MS = 30_000
const EXPIRES_AFTER_MS = 5 * 60_000

/** A live test run: its id, and its main process, with which it lives and dies. */
export interface Run {
  id: string
  pid: number
}

/** What one process of a live run claims: entries that no other run may remove. */
export class Lease {
  readonly #path: string
  readonly #keys = new Set<string>()
  #heartbeat: NodeJS.Timeout | undefined
  /** As it stands in the file. */
  #content = ''
  /** One write at a time: a claim of fewer entries must not land after one of more. */
  #written: Promise<void> = Promise.resolve()

  constructor(
    readonly layout: Layout,
    readonly run: Run,
  ) {
    this.#path = join(layout.leases, `${run.id}.${originals.pid}-${threadId}.json`)
  }

  /**
   * Claims entries, by `entryKey`, until `release`, or until the run's main process is gone. True when a claim is new, or
   * was lost with its file.
   */
  async claim(keys: string[]): Promise<boolean> {
    if (keys.length === 0) return false
    const fresh = keys.filter((key) => !this.#keys.has(key))
    for (const key of fresh) this.#keys.add(key)
    const isNew = fresh.length > 0 || this.#isLost()
    // A second call that claims the same entries waits for the write that is under way.
    if (isNew) this.#written = this.#written.catch(() => undefined).then(() => this.#write())
    try {
      await this.#written
    } catch (error) {
      // Not claimed: the next call tries again.
      for (const key of fresh) this.#keys.delete(key)
      throw error
    }
    return isNew
  }

  /**
   * Claims what processes and threads of the run claimed that are gone by now, and removes their leases: each rerun of a
   * watch session has workers of its own. Called when no test runs.
   */
  async gather(): Promise<void> {
    for (const name of leaseNames(this.layout)) {
      const path = join(this.layout.leases, name)
      const pid = Number(/\.(\d+)-\d+\.json$/.exec(name)?.[1])
      if (!isOf(name, this.run.id) || path === this.#path || (pid !== originals.pid && !isGone(pid))) continue
      const lease = await readLease(path)
      await this.claim(lease?.entries ?? [])
      removeIfPossible(this.layout, path)
    }
  }

  /** Removed with the cache folder, or by a machine to which this one seemed silent. */
  #isLost(): boolean {
    return this.#content !== '' && !stampOf(this.#path)
  }

  async #write(): Promise<void> {
    // The folder was removed: without a mark the next run would refuse it.
    if (!stampOf(this.layout.marker)) await prepareAgain(this.layout)
    const content = JSON.stringify({ ...ownerOf(this.run.pid), entries: [...this.#keys] })
    writeAtomically(this.#path, content)
    this.#content = content
    if (this.#heartbeat) return
    this.#heartbeat = originals.setInterval(() => this.#beat(), HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  /** Writes the same again, so that the disk's own clock dates it: other machines know nothing of ours. */
  #beat(): void {
    const write = async () => {
      if (!this.#isLost()) return writeFile(this.#path, this.#content, { flag: 'r+' })
      // Where the whole cache folder was removed, nothing is left to claim.
      if (stampOf(this.layout.directory)) await this.#write()
    }
    this.#written = this.#written.then(write, write).catch(() => undefined)
  }

  async release(): Promise<void> {
    await this.#written.catch(() => undefined)
    originals.clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    this.#keys.clear()
    this.#content = ''
    removeIfPossible(this.layout, this.#path)
  }
}

/** The entries that live runs claim, other than `exceptRun`. Leases of dead runs are removed on the way. */
export async function leasedEntries(layout: Layout, exceptRun?: string): Promise<Set<string>> {
  const others = [...(await liveRuns(layout))].filter(([run]) => run !== exceptRun)
  return new Set(others.flatMap(([, entries]) => [...entries]))
}

/** The runs that live now, by their ids, and the entries that they claim. Leases of dead runs are removed on the way. */
export async function liveRuns(layout: Layout): Promise<Map<string, Set<string>>> {
  const runs = new Map<string, Set<string>>()
  for (const name of leaseNames(layout)) {
    const path = join(layout.leases, name)
    const lease = await readLease(path)
    if (!lease) continue
    if (!lease.isLive) {
      removeIfPossible(layout, path)
      continue
    }
    const run = name.slice(0, name.indexOf('.'))
    runs.set(run, new Set([...(runs.get(run) ?? []), ...lease.entries]))
  }
  return runs
}

/** Ends all claims of a run that is over, also those of its workers, which are gone by then. */
export function releaseRun(layout: Layout, runId: string): void {
  for (const name of leaseNames(layout)) if (isOf(name, runId)) removeFile(layout, join(layout.leases, name))
}

async function prepareAgain(layout: Layout): Promise<void> {
  const { prepareCacheFolder } = await import('./prepare-cache-folder.ts')
  await prepareCacheFolder(layout)
}

function leaseNames(layout: Layout): string[] {
  try {
    return readdirSync(layout.leases).filter(isLeaseName)
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

/** Where it can't be removed, or could not be written, it claims nothing all the same. */
function removeIfPossible(layout: Layout, path: string): void {
  try {
    removeFile(layout, path)
  } catch {
    // Another user's folder.
  }
}

function isOf(name: string, runId: string): boolean {
  return name.startsWith(`${runId}.`)
}

async function readLease(path: string): Promise<{ entries: string[]; isLive: boolean } | undefined> {
  try {
    const lease: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const { mtimeMs } = statSync(path)
    if (!isOwner(lease)) return { entries: [], isLive: false }
    const entries = 'entries' in lease && Array.isArray(lease.entries) ? lease.entries.filter(isText) : []
    return { entries, isLive: await isLive(lease, path, mtimeMs) }
  } catch (error) {
    if (isAbsent(error)) return undefined
    if (nameOf(error) === 'SyntaxError') return { entries: [], isLive: false }
    throw error
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

async function isLive(owner: Owner, path: string, heartbeat: number): Promise<boolean> {
  const state = stateOf(owner)
  // A run that is stopped (Ctrl-Z) goes on later, with the same files.
  if (state !== 'unknown') return state !== 'dead'
  // A heartbeat that is still to come is nobody's: a copy, or the work of another clock.
  return Math.abs((await diskNow(dirname(path))) - heartbeat) < EXPIRES_AFTER_MS
}
