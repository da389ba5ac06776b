import { readdirSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import process from 'node:process'

// Not the lowest one: a run may wait for a lock that the process holds for a moment.
const PRIORITY = constants.priority.PRIORITY_BELOW_NORMAL

/**
 * Lowers the priority of a process with all its threads. Does nothing where the system forbids it, and for a process that has ended.
 *
 * On Linux, a priority is that of one thread. Threads that it starts later have the same. Where the system divides its time among sessions
 * (`man 7 sched`, autogroup), the priorities of threads count within their session only. A detached process has a session of its own, and
 * that session has a priority.
 */
export function lowerPriority(pid: number): void {
  attempt(() => setPriority(pid, PRIORITY))
  if (process.platform !== 'linux') return
  attempt(() => writeFileSync(`/proc/${pid}/autogroup`, String(PRIORITY)))
  attempt(() => {
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), PRIORITY)
  })
}

function attempt(step: () => void): void {
  try {
    step()
  } catch {
    // The process works all the same.
  }
}
