import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Environment } from '../../config/environment-variables.ts'
import type { RemoteSettings } from '../../config/remote-settings.ts'
import { systemCode } from '../../model/errors.ts'
import { openRemote } from '../../remote/open-remote.ts'
import type { Remote } from '../../remote/remote.ts'
import type { Layout } from '../store/layout.ts'
import { isMarked, removeEmptyFolder, removeFile } from '../store/remove-own.ts'
import type { CacheOptions } from './options.ts'

/** The parts of a cache's context that are needed here. */
interface Cache {
  layout: Layout
  options: CacheOptions
  env: Environment
  warn: (message: string) => void
  debug: (message: string) => void
}

/**
 * Opens the remote of a cache. Undefined if that is not possible, or if another process of the run has left it alone. Only the process
 * that does so first warns.
 */
export async function openRemoteOf(
  { layout, options, env, warn, debug }: Cache,
  settings: RemoteSettings,
): Promise<Remote | undefined> {
  const { run, stallMs } = options
  const mark = run && remoteMark(layout, run.id)
  if (mark !== undefined && isLeftAlone(mark)) {
    debug('The remote is not asked: another process of this run has left it alone.')
    return undefined
  }
  // Without the Hub, the errors of the models say it.
  const isTold = options.downloads === false
  const leaveAlone = (message: string) =>
    !isTold && (mark === undefined || leave(layout, mark, message)) ? warn(message) : debug(message)
  return openRemote(settings, { env, runId: run?.id, warn, leaveAlone, stallMs })
}

/** Removes the mark of a run that is over. */
export async function removeMark(layout: Layout, runId: string): Promise<void> {
  const mark = remoteMark(layout, runId)
  if (removeFile(layout, mark)) await removeEmptyFolder(layout, dirname(mark))
}

/** The file that tells the processes of a run to leave the remote alone. */
function remoteMark({ directory }: Layout, runId: string): string {
  return join(directory, 'events', runId, 'remote.json')
}

function isLeftAlone(mark: string): boolean {
  try {
    return readFileSync(mark, 'utf8') !== ''
  } catch {
    return false
  }
}

/** Writes the mark. False if another process has written it before. */
function leave(layout: Layout, mark: string, message: string): boolean {
  if (!isMarked(layout)) return true
  try {
    mkdirSync(dirname(mark), { recursive: true, mode: 0o700 })
    writeFileSync(mark, JSON.stringify({ leftAlone: message }), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    return systemCode(error) !== 'EEXIST'
  }
}
