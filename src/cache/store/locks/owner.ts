import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemCode } from '../../../model/errors.ts'
import { originals } from '../../../platform/originals.ts'

/** The process that holds a lock or a lease. */
export interface Owner {
  pid: number
  /** Host and process namespace. A pid has a meaning only within one of them. */
  host: string
  /** The id of the boot, and the time since the boot at which the process began. Only Linux states it, in `/proc`. */
  started?: string
}

/**
 * `dead` and `alive` are certain. `stopped` is a live process that does not run (Ctrl-Z, a debugger). `unknown`: the owner runs on
 * another host or in another container, or another process may have its pid now. Then only the heartbeat shows whether it lives.
 */
export type OwnerState = 'alive' | 'stopped' | 'dead' | 'unknown'

let host: string | undefined
let own: Owner | undefined

/** This process as an owner. */
export function thisProcess(): Owner {
  own ??= seenOwner(originals.pid)
  return own
}

/** A process of this host as an owner. */
export function ownerOf(pid: number): Owner {
  return pid === originals.pid ? thisProcess() : seenOwner(pid)
}

function seenOwner(pid: number): Owner {
  const seen = lookAt(pid)
  return { pid, host: thisHost(), ...(seen && { started: seen.started }) }
}

/** Whether an owner lives. See `OwnerState`. */
export function stateOf(owner: Owner): OwnerState {
  if (owner.host !== thisHost()) return 'unknown'
  // This process runs, so nobody has to be asked.
  if (owner.started !== undefined && owner.pid === originals.pid && owner.started === own?.started) return 'alive'
  // The boot ids differ: this machine was started again, or another machine has the same name.
  if (owner.started !== undefined && !owner.started.startsWith(`${boot()} `)) return 'unknown'
  try {
    originals.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    if (systemCode(error) !== 'EPERM') return 'dead'
  }
  const seen = lookAt(owner.pid)
  // A killed process keeps its pid until its parent reads its exit code. In some containers no parent does.
  if (seen && 'ZX'.includes(seen.state)) return 'dead'
  if (!seen || owner.started === undefined) return 'unknown'
  if (seen.started !== owner.started) return 'dead'
  return 'Tt'.includes(seen.state) ? 'stopped' : 'alive'
}

/** True when no process of this host has the pid. */
export function isGone(pid: number): boolean {
  return stateOf({ pid, host: thisHost() }) === 'dead'
}

/** A pid below 1 is refused: `kill` takes it for a group of processes, and would report it as alive. */
export function isOwner(value: unknown): value is Owner {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    value.pid > 0 &&
    'host' in value &&
    typeof value.host === 'string' &&
    (!('started' in value) || typeof value.started === 'string')
  )
}

function thisHost(): string {
  host ??= `${hostname()}/${processNamespace()}`
  return host
}

/** Two containers may share a host name; on Linux the namespace tells them apart. */
function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // Not Linux: only the host name is used.
    return ''
  }
}

/** The time at which a process began, and the letter of its state (`man 5 proc`). Undefined when the system does not state it. */
function lookAt(pid: number): { started: string; state: string } | undefined {
  if (!boot()) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name comes first, in parentheses. It may contain any character, also `)`.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, ticks] = [fields[0], fields[19]]
    return state && ticks ? { state, started: `${boot()} ${ticks}` } : undefined
  } catch {
    // The process has ended, or `/proc` hides the processes of other users.
    return undefined
  }
}

let bootId: string | undefined

/** The id of the current boot. Empty when the system does not state it. */
function boot(): string {
  bootId ??= readBootId()
  return bootId
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}
