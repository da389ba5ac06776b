import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { originals, sleep } from '../../platform/originals.ts'
import { uniqueBeside, unlinkIfThere } from './atomic-write.ts'
import { isOwner, type Owner, stateOf, thisProcess } from './owner.ts'

const HEARTBEAT_MS = 2_000
const STALE_AFTER_MS = 15_000
const LONGEST_POLL_MS = 100

/**
 * Runs `work` while no other thread or process of any machine that shares the folder runs under the same lock file.
 *
 * A lock whose owner died on this machine is taken over at once; any other when its heartbeat stood still for 15 s by
 * our own monotonic clock, so that skewed clocks do no harm. Correctness never hangs on it: what is guarded is written
 * to unique names, verified and renamed, and a lost race costs work, not bytes.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return holding(path, await acquire(path, signal), work)
}

async function holding<T>(path: string, id: string, work: () => Promise<T>): Promise<T> {
  const heartbeat = originals.setInterval(() => void touch(path), HEARTBEAT_MS)
  heartbeat.unref()
  try {
    return await work()
  } finally {
    originals.clearInterval(heartbeat)
    release(path, id)
  }
}

/**
 * As `withLock`, when the lock is free; undefined when it is held. For who holds another lock already: two that waited
 * for each other's would wait for ever.
 */
export async function withFreeLock<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  return withFreeLocks([path], async ([held]) => (held === undefined ? undefined : work()))
}

/** Runs `work` under those of several locks that are free, taken and given back side by side. */
export async function withFreeLocks<T>(paths: string[], work: (held: string[]) => Promise<T>): Promise<T> {
  const held = new Map<string, string>()
  const heartbeat = originals.setInterval(() => {
    for (const path of held.keys()) void touch(path)
  }, HEARTBEAT_MS)
  heartbeat.unref()
  const take = async (path: string) => {
    const id = await takeFree(path)
    if (id !== undefined) held.set(path, id)
  }
  try {
    await allSettled(paths.map(take))
    return await work(paths.filter((path) => held.has(path)))
  } finally {
    originals.clearInterval(heartbeat)
    await allSettled([...held].map(async ([path, id]) => release(path, id)))
  }
}

/** Throws the first error when all have ended: nothing is still being taken when what was taken is given back. */
async function allSettled(all: Promise<void>[]): Promise<void> {
  await Promise.allSettled(all)
  await Promise.all(all)
}

async function takeFree(path: string): Promise<string | undefined> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const id = randomBytes(8).toString('hex')
  const isFree = create(path, id) || ((await takeFromDead(path)) && create(path, id))
  return isFree ? id : undefined
}

/** Takes away a lock whose owner was surely killed: else what it locked could not be removed until it is next asked for. */
async function takeFromDead(path: string): Promise<boolean> {
  const held = read(path)
  if (!held?.owner || stateOf(held.owner) !== 'dead') return false
  await takeAway(path, held.id)
  return true
}

async function acquire(path: string, signal?: AbortSignal): Promise<string> {
  const id = randomBytes(8).toString('hex')
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const watch = new HeartbeatWatch()
  for (let pollMs = 2; ; pollMs = Math.min(pollMs * 1.6, LONGEST_POLL_MS)) {
    if (create(path, id)) return id
    const held = read(path)
    if (held && watch.isStale(held)) await takeAway(path, held.id, signal)
    else await sleep(pollMs * (0.75 + Math.random() / 2), signal)
  }
}

interface Held {
  id: string
  owner: Owner | undefined
  heartbeat: number
}

/** Sees one lock over time, by our own clock. */
class HeartbeatWatch {
  #last = ''
  #since = 0

  isStale({ id, owner, heartbeat }: Held): boolean {
    if (owner && stateOf(owner) === 'dead') return true
    const seen = `${id} ${heartbeat}`
    if (seen !== this.#last) {
      this.#last = seen
      this.#since = originals.monotonic()
    }
    return originals.monotonic() - this.#since > STALE_AFTER_MS
  }
}

/** Writes the lock under another name first, so that nobody ever reads a half-written one. */
function create(path: string, id: string): boolean {
  const own = uniqueBeside(path, 'tmp')
  writeFileSync(own, JSON.stringify({ id, ...thisProcess() }), { mode: 0o600 })
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    // No hard links on this file system: an exclusive create does, at the price of a moment with an empty file.
    return createExclusively(path, id)
  } finally {
    unlinkIfThere(own)
  }
}

function createExclusively(path: string, id: string): boolean {
  try {
    writeFileSync(path, JSON.stringify({ id, ...thisProcess() }), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

function read(path: string): Held | undefined {
  try {
    return { ...parse(readFileSync(path, 'utf8')), heartbeat: statSync(path).mtimeMs }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function parse(text: string): Omit<Held, 'heartbeat'> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string')
      return { id: value.id, owner: isOwner(value) ? value : undefined }
  } catch {
    // Half-written by a file system without hard links, or damaged: its heartbeat decides.
  }
  return { id: '', owner: undefined }
}

/**
 * Takes a stale lock away. Of several who saw it stale one does, under a lock of its own: else a slow one would take
 * the fresh lock of who was faster.
 */
async function takeAway(path: string, id: string, signal?: AbortSignal): Promise<void> {
  await withLock(`${path}.takeover`, async () => release(path, id), signal)
}

function release(path: string, id: string): void {
  const held = read(path)
  if (held?.id === id) unlinkIfThere(path)
}

async function touch(path: string): Promise<void> {
  const now = originals.now() / 1000
  // The lock may be gone by now: then there is nothing to keep alive.
  await utimes(path, now, now).catch(() => undefined)
}
