import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { systemCode } from '../../../model/errors.ts'
import { originals, sleep } from '../../../platform/originals.ts'
import { diskNow } from '../atomic-write.ts'
import { uniqueBeside } from '../own-names.ts'
import { removeLockFile, removeUnique } from '../remove-own.ts'
import { isOwner, type Owner, type OwnerState, stateOf, thisProcess } from './owner.ts'

const HEARTBEAT_MS = 2_000
const STALE_AFTER_MS = 15_000
const LONGEST_POLL_MS = 100
// For callers that do not wait for a lock. An hour, because the clock that dates the heartbeat may differ from the disk's clock.
const ABANDONED_AFTER_MS = 3_600_000

/** A lock that this process has taken. */
export class Hold {
  readonly #id: string

  constructor(
    readonly path: string,
    id: string,
  ) {
    this.#id = id
  }

  /**
   * False when another process took the lock, because this process was stopped and its heartbeat stood still for too long. Call it
   * right before each step that can't be undone.
   */
  isOurs(): boolean {
    return read(this.path)?.id === this.#id
  }

  /** Renews the heartbeat, which shows other processes that this one runs. Does nothing when another process took the lock. */
  async beat(): Promise<void> {
    try {
      const now = originals.now() / 1000
      if (this.isOurs()) await utimes(this.path, now, now)
    } catch {
      // The lock file is gone, so there is no heartbeat to renew.
    }
  }

  /** Removes the lock file, unless another process took the lock. */
  release(): void {
    removeLock(this.path, this.#id)
  }
}

/**
 * Waits for the lock file at `path` and runs `work` under it. No other thread or process, on any machine that shares the folder,
 * runs under the same lock file meanwhile. Throws when `signal` aborts the wait.
 *
 * The lock of a process that died on this machine is taken over at once. The lock of a process that runs on this machine is kept, also
 * when the process is busy and its heartbeat stands still. Any other lock (of a stopped process, or of another machine) is taken over
 * when its heartbeat stood still for 15 s. This time is measured by our own monotonic clock, so that differing clocks do no harm. A
 * stopped process that continues later learns from `Hold.isOurs` that it lost its lock.
 */
export async function withLock<T>(path: string, work: (hold: Hold) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const hold = await acquire(path, signal)
  const heartbeat = startHeartbeat([hold])
  try {
    return await work(hold)
  } finally {
    originals.clearInterval(heartbeat)
    hold.release()
  }
}

/**
 * As `withLock` when the lock is free. Undefined when it is held: then `work` is not run. Use it in a process that holds another
 * lock already, because two processes that wait for each other's locks would wait for ever.
 */
export async function withFreeLock<T>(path: string, work: (hold: Hold) => Promise<T>): Promise<T | undefined> {
  return withFreeLocks([path], async ([hold]) => hold && work(hold))
}

/** Runs `work` under those of several locks that are free. The locks are taken concurrently, and released concurrently. */
export async function withFreeLocks<T>(paths: string[], work: (holds: Hold[]) => Promise<T>): Promise<T> {
  const held: Hold[] = []
  const heartbeat = startHeartbeat(held)
  const take = async (path: string) => {
    const hold = await takeFree(path)
    if (hold) held.push(hold)
  }
  try {
    await allSettled(paths.map(take))
    return await work([...held])
  } finally {
    originals.clearInterval(heartbeat)
    await allSettled(held.map(async (hold) => hold.release()))
  }
}

function startHeartbeat(holds: readonly Hold[]): NodeJS.Timeout {
  const heartbeat = originals.setInterval(() => {
    for (const hold of holds) void hold.beat()
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return heartbeat
}

/** Waits for all, then throws the first error. So no lock is still being taken while the taken ones are released. */
async function allSettled(all: Promise<void>[]): Promise<void> {
  await Promise.allSettled(all)
  await Promise.all(all)
}

async function takeFree(path: string): Promise<Hold | undefined> {
  makeFolderFor(path)
  const id = randomBytes(8).toString('hex')
  const isFree = create(path, id) || ((await takeFromDead(path)) && create(path, id))
  return isFree ? new Hold(path, id) : undefined
}

/** Removes a lock that no process holds any more. Otherwise `clean` would skip its repo until the repo's next download. */
async function takeFromDead(path: string): Promise<boolean> {
  const held = read(path)
  if (!held || !(await isAbandoned(path, held))) return false
  await takeAway(path, held.id)
  return true
}

/** True when the lock's owner has certainly died, or when the owner is unknown and gave no heartbeat for an hour. */
async function isAbandoned(path: string, { owner, heartbeat }: Seen): Promise<boolean> {
  const state: OwnerState = owner ? stateOf(owner) : 'unknown'
  if (state !== 'unknown') return state === 'dead'
  return (await diskNow(dirname(path))) - heartbeat > ABANDONED_AFTER_MS
}

async function acquire(path: string, signal?: AbortSignal): Promise<Hold> {
  const id = randomBytes(8).toString('hex')
  makeFolderFor(path)
  const watch = new HeartbeatWatch()
  for (let pollMs = 2; ; pollMs = Math.min(pollMs * 1.6, LONGEST_POLL_MS)) {
    if (create(path, id)) return new Hold(path, id)
    const held = read(path)
    if (held && watch.isStale(held)) await takeAway(path, held.id, signal)
    else await sleep(pollMs * (0.75 + Math.random() / 2), signal)
  }
}

interface Seen {
  id: string
  owner: Owner | undefined
  heartbeat: number
}

/** Watches the heartbeat of one lock over time, by our own clock. */
class HeartbeatWatch {
  #last = ''
  #since = 0

  isStale({ id, owner, heartbeat }: Seen): boolean {
    const state: OwnerState = owner ? stateOf(owner) : 'unknown'
    if (state === 'dead') return true
    const seen = `${id} ${heartbeat}`
    if (seen !== this.#last) {
      this.#last = seen
      this.#since = originals.monotonic()
    }
    // A live process whose thread computes for long gives no heartbeat, and continues its work afterwards.
    return state !== 'alive' && originals.monotonic() - this.#since > STALE_AFTER_MS
  }
}

/**
 * A cache folder that was removed meanwhile is not made again: it would have no marker, and the next run would refuse it. The locks of
 * the metadata are in the cache folder itself.
 */
function makeFolderFor(path: string): void {
  if (basename(path).startsWith('cache_metadata.json.')) return
  try {
    mkdirSync(dirname(path), { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

/** Creates the lock file; false when it exists. It is written under another name first, so that no process reads an incomplete one. */
function create(path: string, id: string): boolean {
  const own = uniqueBeside(path, 'tmp')
  try {
    writeFileSync(own, JSON.stringify({ id, ...thisProcess() }), { mode: 0o600 })
    return linkAs(own, path, id)
  } finally {
    removeUnique(own)
  }
}

function linkAs(own: string, path: string, id: string): boolean {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    // The file system has no hard links. An exclusive create works too, but the file is empty for a moment.
    return createExclusively(path, id)
  }
}

function createExclusively(path: string, id: string): boolean {
  try {
    writeFileSync(path, JSON.stringify({ id, ...thisProcess() }), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    // On a full disk an empty file was created. It would be a lock without an owner.
    removeLockFile(path)
    throw error
  }
}

function read(path: string): Seen | undefined {
  try {
    return { ...parse(readFileSync(path, 'utf8')), heartbeat: statSync(path).mtimeMs }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function parse(text: string): Omit<Seen, 'heartbeat'> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string')
      return { id: value.id, owner: isOwner(value) ? value : undefined }
  } catch {
    // The file is damaged, or incomplete on a file system without hard links. Then only its heartbeat counts.
  }
  return { id: '', owner: undefined }
}

/**
 * Removes a stale lock. Several processes may have found it stale. They remove it one at a time, under a lock for the takeover:
 * otherwise a slow process could remove the new lock of a faster one.
 */
async function takeAway(path: string, id: string, signal?: AbortSignal): Promise<void> {
  await withLock(`${path}.takeover`, async () => removeLock(path, id), signal)
}

function removeLock(path: string, id: string): void {
  const held = read(path)
  if (held?.id === id) removeLockFile(path)
}
