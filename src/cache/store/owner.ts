import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemCode } from '../../model/errors.ts'
import { originals } from '../../platform/originals.ts'

/** Which process holds a lock or a lease. */
export interface Owner {
  pid: number
  /** Host and process namespace: a pid says something within one of them only. */
  host: string
}

let host: string | undefined

export function thisProcess(): Owner {
  host ??= `${hostname()}/${processNamespace()}`
  return { pid: originals.pid, host }
}

/** `dead` is certain. `unknown` when the owner ran elsewhere: then only its heartbeat tells. */
export function stateOf(owner: Owner): 'alive' | 'dead' | 'unknown' {
  if (owner.host !== thisProcess().host) return 'unknown'
  try {
    originals.kill(owner.pid, 0)
    return 'alive'
  } catch (error) {
    // EPERM: it lives and is another user's.
    return systemCode(error) === 'EPERM' ? 'alive' : 'dead'
  }
}

/** A pid below 1 is none: `kill` takes it for a group of processes, of which one always lives. */
export function isOwner(value: unknown): value is Owner {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    value.pid > 0 &&
    'host' in value &&
    typeof value.host === 'string'
  )
}

/** Two containers may share a host name; on Linux the namespace tells them apart. */
function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // Not Linux: the host name alone has to do.
    return ''
  }
}
