import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { nameOf, systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'
import { writeAtomically } from './atomic-write.ts'
import type { Layout } from './layout.ts'
import { isOwner, type Owner, stateOf, thisProcess } from './owner.ts'

const HEARTBEAT_MS = 30_000
const EXPIRES_AFTER_MS = 5 * 60_000

/** What one live run claims: entries that no other process may remove. */
export class Lease {
  readonly #path: string
  readonly #keys = new Set<string>()
  #heartbeat: NodeJS.Timeout | undefined

  constructor(
    layout: Layout,
    readonly runId: string,
  ) {
    this.#path = leasePath(layout, runId)
  }

  /** Claims entries, by `entryKey`, until `release`. */
  async claim(keys: string[]): Promise<void> {
    if (keys.length === 0) return
    for (const key of keys) this.#keys.add(key)
    await writeAtomically(this.#path, JSON.stringify({ ...thisProcess(), entries: [...this.#keys] }))
    if (this.#heartbeat) return
    this.#heartbeat = originals.setInterval(() => {
      const now = originals.now() / 1000
      // Gone with the cache folder: then there is nothing left to claim.
      utimes(this.#path, now, now).catch(() => undefined)
    }, HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  async release(): Promise<void> {
    originals.clearInterval(this.#heartbeat)
    this.#heartbeat = undefined
    await rm(this.#path, { force: true })
  }
}

/** The entries that live runs claim, other than `exceptRun`. Leases of dead runs are removed on the way. */
export async function leasedEntries(layout: Layout, exceptRun?: string): Promise<Set<string>> {
  const names = await readdir(layout.leases).catch((error) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
  const leased = new Set<string>()
  for (const name of names.filter((name) => name.endsWith('.json'))) {
    const path = join(layout.leases, name)
    const lease = await readLease(path)
    if (!lease) continue
    if (!lease.isLive) await rm(path, { force: true })
    else if (path !== (exceptRun && leasePath(layout, exceptRun))) for (const key of lease.entries) leased.add(key)
  }
  return leased
}

function leasePath(layout: Layout, runId: string): string {
  return join(layout.leases, `${runId}.json`)
}

async function readLease(path: string): Promise<{ entries: string[]; isLive: boolean } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    const lease: unknown = JSON.parse(text)
    if (!isOwner(lease)) return { entries: [], isLive: false }
    const entries = 'entries' in lease && Array.isArray(lease.entries) ? lease.entries.map(String) : []
    return { entries, isLive: isLive(lease, originals.now() - mtimeMs) }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (nameOf(error) === 'SyntaxError') return { entries: [], isLive: false }
    throw error
  }
}

function isLive(owner: Owner, silentMs: number): boolean {
  const state = stateOf(owner)
  return state === 'unknown' ? silentMs < EXPIRES_AFTER_MS : state === 'alive'
}
