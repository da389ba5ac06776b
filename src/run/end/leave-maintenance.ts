import { type ChildProcess, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { CacheOptions } from '../../cache/context/options.ts'
import type { ModelCache } from '../../cache/model-cache.ts'
import { isClaimedBeside } from '../../cache/store/locks/leases.ts'
import { messageOf } from '../../model/errors.ts'
import { lowerPriority } from './lower-priority.ts'

/** The variable with the task of the process. A command line could be read by other users, and an address can hold a password. */
export const TASK_VARIABLE = 'VITEST_MODEL_CACHE_TASK'

/** What the process that maintains a cache has to know. */
export interface MaintenanceTask {
  cache: Pick<
    CacheOptions,
    'cacheDir' | 'offline' | 'maxSize' | 'maxAge' | 'packAfter' | 'compression' | 'lockfile'
  > & { hub: { endpoint: string } }
  /** The run that left the work. */
  run: string
  /** True when that run needs no models any more. */
  isOver: boolean
}

// Nothing of the user's may change what the process does: no NODE_OPTIONS, no token, no settings of a test runner.
const KEPT_VARIABLES = /^(PATH|HOME|USERPROFILE|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|LD_LIBRARY_PATH)$/i

/**
 * Starts a process that does what maintenance left of a cache, unless another run claims models: it would do nothing. The process
 * outlives this one, and nobody waits for it. If it can't be started, the next run goes on. Returns the process.
 */
export async function leaveMaintenance({ context }: ModelCache, isOver: boolean): Promise<ChildProcess | undefined> {
  const { cacheDir, hub, offline, maxSize, maxAge, packAfter, compression, lockfile, run } = context.options
  if (!run) return undefined
  const cache = { cacheDir, offline, maxSize, maxAge, packAfter, compression, lockfile }
  const task: MaintenanceTask = { cache: { ...cache, hub: { endpoint: hub.endpoint } }, run: run.id, isOver }
  const kept = Object.entries(process.env).filter(([name]) => KEPT_VARIABLES.test(name))
  const program = fileURLToPath(new URL('./maintenance.js', import.meta.url))
  try {
    if (await isClaimedBeside(context.layout, run.id)) return undefined
    const child = spawn(process.execPath, [program], {
      // The folder of a project or of a test could not be removed on Windows while a process is in it.
      cwd: dirname(process.execPath),
      // Electron's own program would start as an app.
      env: { ...Object.fromEntries(kept), ELECTRON_RUN_AS_NODE: '1', [TASK_VARIABLE]: JSON.stringify(task) },
      ...{ detached: true, stdio: 'ignore', windowsHide: true },
    })
    child.on('error', (error) => context.debug(`Maintenance goes on after the next run: ${messageOf(error)}`))
    child.unref()
    // Already its start must not take time from the end of the run.
    if (child.pid !== undefined) lowerPriority(child.pid)
    return child
  } catch (error) {
    // Node.js's permissions may forbid it.
    context.debug(`Maintenance goes on after the next run: ${messageOf(error)}`)
    return undefined
  }
}
