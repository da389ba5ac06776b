import { readdirSync, readFileSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { nameOf } from '../../../model/errors.ts'
import { originals } from '../../../platform/originals.ts'
import { diskNow, isAbsent, writeAtomically } from '../atomic-write.ts'
import { stampOf } from '../blobs.ts'
import type { Layout } from '../layout.ts'
import { isLeaseName } from '../own-names.ts'
import { removeFile } from '../remove-own.ts'
import { isGone, isOwner, type Owner, ownerOf, stateOf } from './owner.ts'

const HEARTBEAT_MS = 30_000
const EXPIRES_AFTER_MS = 5 * 60_000

/** A test run: its id and the pid of its main process. The run is live as long as this process is. */
export interface Run {
  id: string
  pid: number
}

/** The claims of one thread of a live run: entries that no other run may remove. */
export class Lease {
  readonly #path: string
  readonly #keys = new Set<string>()
  #heartbeat: NodeJS.Timeout | undefined
  /** The content of the lease file. Empty while there is none. */
  #content = ''
  /** Settles when the last write has ended. Writes run one after the other, so that an older list never replaces a newer one. */
  #written: Promise<void> = Promise.resolve()

  constructor(
    readonly layout: Layout,
    readonly run: Run,
  ) {
    this.#path = join(layout.leases, `${run.id}.${originals.pid}-${threadId}.json`)
  }

  /**
   * Claims entries, by `entryKey`, until `release` is called or the run's main process is gone. True when an entry was not claimed
   * before, or when the lease file was lost. Throws when the lease can't be written.
   */
  async claim(keys: string[]): Promise<boolean> {
    if (keys.length === 0) return false
    const fresh = keys.filter((key) => !this.#keys.has(key))
    for (const key of fresh) this.#keys.add(key)
    const isNew = fresh.length > 0 || this.#isLost()
    // A second call for the same entries waits for the write of the first.
    if (isNew) this.#written = this.#written.catch(() => undefined).then(() => this.#write())
    try {
      await this.#written
    } catch (error) {
      // The entries are not claimed, so the next call tries again.
      for (const key of fresh) this.#keys.delete(key)
      throw error
    }
    return isNew
  }

  /** Ends the claims of some entries. Throws when the lease can't be written: it then goes on claiming them. */
  async drop(keys: string[]): Promise<void> {
    const write = async () => {
      for (const key of keys) this.#keys.delete(key)
      // A lease file that is gone claims nothing.
      if (this.#content !== '' && !this.#isLost()) await this.#write()
    }
    this.#written = this.#written.then(write, write)
    await this.#written
  }

  /**
   * Takes over the claims of processes and threads of this run that have ended, and removes their leases. Each rerun of a watch
   * session has new workers. Called while no test runs.
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

  /** True when the lease file was removed: with the cache folder, or by another machine that saw no heartbeat for too long. */
  #isLost(): boolean {
    return this.#content !== '' && !stampOf(this.#path)
  }

  async #write(): Promise<void> {
    // The cache folder was removed and would be created again without its marker. The next run would refuse that folder.
    if (!stampOf(this.layout.marker)) await prepareAgain(this.layout)
    const content = JSON.stringify({ ...ownerOf(this.run.pid), entries: [...this.#keys] })
    writeAtomically(this.#path, content)
    this.#content = content
    if (this.#heartbeat) return
    this.#heartbeat = originals.setInterval(() => this.#beat(), HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  /** Writes the same content again, so that the file gets the time of the disk's clock, which other machines can compare with. */
  #beat(): void {
    const write = async () => {
      if (!this.#isLost()) return writeFile(this.#path, this.#content, { flag: 'r+' })
      // When the whole cache folder was removed, nothing is left to claim.
      if (stampOf(this.layout.directory)) await this.#write()
    }
    this.#written = this.#written.then(write, write).catch(() => undefined)
  }

  /** Ends all claims and removes the lease file. */
  async release(): Promise<void> {
    await this.#written.catch(() => undefined)
    originals.clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    this.#keys.clear()
    this.#content = ''
    removeIfPossible(this.layout, this.#path)
  }
}

/** The entries that live runs other than `exceptRun` claim, by `entryKey`. Also removes the leases of dead runs. */
export async function leasedEntries(layout: Layout, exceptRun?: string): Promise<Set<string>> {
  const others = [...(await liveRuns(layout))].filter(([run]) => run !== exceptRun)
  return new Set(others.flatMap(([, entries]) => [...entries]))
}

/** True while a run other than `own` claims models. */
export async function isClaimedBeside(layout: Layout, own: string): Promise<boolean> {
  return (await leasedEntries(layout, own)).size > 0
}

/** The live runs by their ids, each with the `entryKey`s that it claims. Also removes the leases of dead runs. */
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

/** Removes all leases of a run that is over, also those of its workers. */
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

/** Removes a lease that claims nothing any more. A failure does no harm, so it is ignored. */
function removeIfPossible(layout: Layout, path: string): void {
  try {
    removeFile(layout, path)
  } catch {
    // The folder may be read-only or another user's.
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
  // A stopped run (Ctrl-Z) can continue later with the same files, so it counts as live.
  if (state !== 'unknown') return state !== 'dead'
  // A heartbeat far in the future is no sign of life either: the file was copied, or another clock dated it.
  return Math.abs((await diskNow(dirname(path))) - heartbeat) < EXPIRES_AFTER_MS
}
