import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode } from '../../model/errors.ts'
import { originals, sleep } from '../../platform/originals.ts'
import { diskNow } from './atomic-write.ts'
import { uniqueBeside } from './own-names.ts'
import { isOwner, type Owner, type OwnerState, stateOf, thisProcess } from './owner.ts'
import { removeLockFile, removeUnique } from './remove-own.ts'

const HEARTBEAT_MS = 2_000
const STALE_AFTER_MS = 15_000
const LONGEST_POLL_MS = 100
// For callers that do not wait. It is long, because the clock that dates the heartbeat may differ from the disk's.
const GIVEN_UP_AFTER_MS = 3_600_000

/** A lock that this process took. */
export class Hold {
  readonly #id: string

  constructor(
    readonly path: string,
    id: string,
  ) {
    this.#id = id
  }

  /**
   * False when another process took the lock, because this one was stopped for longer than its heartbeat may stand still.
   * Ask right before each step that can't be taken back.
   */
  isOurs(): boolean {
    return read(this.path)?.id === this.#id
  }

  /** Shows other processes that this one runs. The heart of a lock that another process has is left alone. */
  async beat(): Promise<void> {
    try {
      const now = originals.now() / 1000
      if (this.isOurs()) await utimes(this.path, now, now)
    } catch {
      // The lock may be gone by now: then there is nothing to keep alive.
    }
  }

  release(): void {
    removeLock(this.path, this.#id)
  }
}

/**
 * Runs `work` while no other thread or process of any machine that shares the folder runs under the same lock file.
 *
 * A lock of a process that died on this machine is taken over at once. A lock of a process that runs on this machine is
 * kept, also when that process is busy and its heartbeat stands still. Any other lock is taken over when its heartbeat
 * stood still for 15 s by our own monotonic clock, so that skewed clocks do no harm: a stopped process that continues
 * later finds its lock lost by `Hold.isOurs`.
 */
export async function withLock<T>(path: string, work: (hold: Hold) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const hold = await acquire(path, signal)
  const heartbeat = startHeart([hold])
  try {
    return await work(hold)
  } finally {
    originals.clearInterval(heartbeat)
    hold.release()
  }
}

/**
 * As `withLock`, when the lock is free; undefined when it is held. For a process that holds another lock already: two
 * processes that wait for each other's lock would wait for ever.
 */
export async function withFreeLock<T>(path: string, work: (hold: Hold) => Promise<T>): Promise<T | undefined> {
  return withFreeLocks([path], async ([hold]) => hold && work(hold))
}

/** Runs `work` under those of several locks that are free, taken and given back side by side. */
export async function withFreeLocks<T>(paths: string[], work: (holds: Hold[]) => Promise<T>): Promise<T> {
  const held: Hold[] = []
  const heartbeat = startHeart(held)
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

function startHeart(holds: readonly Hold[]): NodeJS.Timeout {
  const heartbeat = originals.setInterval(() => {
    for (const hold of holds) void hold.beat()
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return heartbeat
}

/** Throws the first error when all have ended: nothing is still being taken when what was taken is given back. */
async function allSettled(all: Promise<void>[]): Promise<void> {
  await Promise.allSettled(all)
  await Promise.all(all)
}

async function takeFree(path: string): Promise<Hold | undefined> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const id = randomBytes(8).toString('hex')
  const isFree = create(path, id) || ((await takeFromDead(path)) && create(path, id))
  return isFree ? new Hold(path, id) : undefined
}

/** Takes away a lock that nobody holds any more: else what it locked could not be removed until it is next asked for. */
async function takeFromDead(path: string): Promise<boolean> {
  const held = read(path)
  if (!held || !(await isGivenUp(path, held))) return false
  await takeAway(path, held.id)
  return true
}

/** Its owner was surely killed, or it is left from before a restart of the machine. */
async function isGivenUp(path: string, { owner, heartbeat }: Seen): Promise<boolean> {
  const state: OwnerState = owner ? stateOf(owner) : 'unknown'
  if (state !== 'unknown') return state === 'dead'
  return (await diskNow(dirname(path))) - heartbeat > GIVEN_UP_AFTER_MS
}

async function acquire(path: string, signal?: AbortSignal): Promise<Hold> {
  const id = randomBytes(8).toString('hex')
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
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

/** Sees one lock over time, by our own clock. */
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
    // A thread that computes for long lets no heartbeat through, and goes on with its work afterwards.
    return state !== 'alive' && originals.monotonic() - this.#since > STALE_AFTER_MS
  }
}

/** Writes the lock under another name first, so that nobody ever reads a half-written one. */
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
    // No hard links on this file system: an exclusive create does, at the price of a moment with an empty file.
    return createExclusively(path, id)
  }
}

function createExclusively(path: string, id: string): boolean {
  try {
    writeFileSync(path, JSON.stringify({ id, ...thisProcess() }), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    // A full disk leaves an empty file, which would be a lock that nobody holds.
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
    // Half-written by a file system without hard links, or damaged: its heartbeat decides.
  }
  return { id: '', owner: undefined }
}

/**
 * Takes a stale lock away. Of several who saw it stale one does, under a lock of its own: else a slow one would take
 * the fresh lock of who was faster.
 */
async function takeAway(path: string, id: string, signal?: AbortSignal): Promise<void> {
  await withLock(`${path}.takeover`, async () => removeLock(path, id), signal)
}

function removeLock(path: string, id: string): void {
  const held = read(path)
  if (held?.id === id) removeLockFile(path)
}
